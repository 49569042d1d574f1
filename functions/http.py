"""The API's own entry point on Lambda: its routes, and none of what the other triggers load."""

from chalice import Chalice

from functions import api

app = Chalice(app_name="vigil")
app.register_blueprint(api.trigger)
