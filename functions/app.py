"""The list of triggers: what `chalice package` reads. At run time each function loads its own module."""

from chalice import Chalice

from functions import (
    audit_checkpoint as checkpoint,
)
from functions import (
    authorizer,
    balance,
    bulk,
    canary,
    enrol,
    erase,
    live,
    predict,
    publish,
    quarantine,
    reconcile,
    thumbnail,
    triage,
)
from functions import (
    reembed as migrate,
)
from functions import (
    rollout as releases,
)
from functions import (
    training_jobs as retrain,
)
from functions.api import routes

app = Chalice(app_name="vigil")
app.api.binary_types.extend(routes.BINARY_MEDIA_TYPES)
for module in (live, bulk, publish, enrol, authorizer, routes, predict, erase, thumbnail):
    app.register_blueprint(module.trigger)
for module in (triage, reconcile, balance, canary, checkpoint, quarantine, releases, retrain, migrate):
    app.register_blueprint(module.trigger)
