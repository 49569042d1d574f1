"""The API of the big package, written as Chalice writes one."""

from __future__ import annotations

from tests.local.packages import Template, function

_URI = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${%s.Arn}/invocations"
_RUN = {
    "x-amazon-apigateway-integration": {
        "type": "aws_proxy",
        "httpMethod": "POST",
        "uri": {"Fn::Sub": _URI % "ApiFunction"},
    }
}
_CORS = {
    "x-amazon-apigateway-integration": {
        "type": "mock",
        "responses": {
            "default": {
                "statusCode": "200",
                "responseParameters": {"method.response.header.Access-Control-Allow-Origin": "'*'"},
            }
        },
    }
}


def api() -> Template:
    """Routes of every kind, and the functions behind them."""
    body = {
        "swagger": "2.0",
        "info": {"title": "api", "version": "1.0"},
        "paths": {
            "/things/{name}": {"get": _RUN, "options": _CORS},
            "/things/mine": {"get": _RUN},
            "/secret": {"get": {**_RUN, "security": [{"guard": []}]}},
            "/broken": {"get": _RUN},
            "/slow": {"get": _RUN},
            "/picture": {"post": _RUN},
        },
        "securityDefinitions": {
            "guard": {
                "type": "apiKey",
                "in": "header",
                "name": "Authorization",
                "x-amazon-apigateway-authorizer": {
                    "type": "token",
                    "authorizerUri": {"Fn::Sub": _URI % "Authorize"},
                    "authorizerResultTtlInSeconds": 60,
                },
            }
        },
        "x-amazon-apigateway-binary-media-types": ["image/png"],
    }
    return {
        "ApiFunction": function("api"),
        "Authorize": function("authorize"),
        "Api": {
            "Type": "AWS::Serverless::Api",
            "Properties": {"StageName": "api", "DefinitionBody": body},
        },
    }
