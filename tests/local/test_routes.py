"""Which route a request takes, as API Gateway chooses."""

from infra.local.routes import Proxy, Route, find

ANY = "X-AMAZON-APIGATEWAY-ANY-METHOD"
ROUTES = [
    Route(resource, method, Proxy(f"{method} {resource}"))
    for resource, method in [
        ("/things", ANY),
        ("/things", "GET"),
        ("/things/{name}", "PUT"),
        ("/things/mine", ANY),
    ]
]


def taken(method: str, path: str) -> str | None:
    match = find(ROUTES, method, path)
    return match.route.action.function if match and isinstance(match.route.action, Proxy) else None


def test_a_method_of_its_own_wins_over_any():
    assert (taken("GET", "/things"), taken("POST", "/things")) == ("GET /things", f"{ANY} /things")


def test_the_path_is_chosen_before_the_method():
    assert taken("PUT", "/things/mine") == f"{ANY} /things/mine"


def test_any_is_the_methods_that_api_gateway_knows():
    assert taken("TRACE", "/things") is None
