"""The list of triggers: what `chalice package` reads. At run time each function loads its own module."""

from chalice import Chalice

from functions import (
    authorizer,
    balance,
    bulk,
    canary,
    checkpoint,
    enrol,
    erase,
    live,
    migrate,
    predict,
    publish,
    quarantine,
    reconcile,
    releases,
    retrain,
    thumbnail,
    triage,
)
from functions.api import routes

app = Chalice(app_name="vigil")
app.api.binary_types.extend(routes.MEDIA_TYPES)
for module in (live, bulk, publish, enrol, authorizer, routes, predict, erase, thumbnail):
    app.register_blueprint(module.trigger)
for module in (triage, reconcile, balance, canary, checkpoint, quarantine, releases, retrain, migrate):
    app.register_blueprint(module.trigger)
