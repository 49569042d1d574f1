"""The list of triggers: what `chalice package` reads. At run time each function loads its own module."""

from chalice import Chalice

from functions import api, balance, bulk, canary, enrol, live, publish, reconcile, triage

app = Chalice(app_name="vigil")
for module in (live, bulk, publish, enrol, api, triage, reconcile, balance, canary):
    app.register_blueprint(module.trigger)
