"""The list of triggers for `chalice package`; at run time each function loads its own module."""

from chalice import Chalice

from functions import (
    audit_checkpoint,
    authorizer,
    backfill,
    balance,
    bulk,
    canary,
    clips,
    enrol,
    erase,
    live,
    predict,
    publish,
    quarantine,
    reconcile,
    reembed,
    rollout,
    thumbnail,
    train,
    training_jobs,
    triage,
)
from functions.api import routes

app = Chalice(app_name="vigil")
app.api.binary_types.extend(routes.BINARY_MEDIA_TYPES)
for module in (live, bulk, clips, publish, enrol, authorizer, routes, predict, erase, thumbnail, quarantine):
    app.register_blueprint(module.trigger)
for module in (triage, reconcile, backfill, balance, canary, audit_checkpoint):
    app.register_blueprint(module.trigger)
for module in (rollout, train, training_jobs, reembed):
    app.register_blueprint(module.trigger)
