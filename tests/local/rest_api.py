"""The API of the big package, written as Chalice writes one."""

from __future__ import annotations

from tests.local.packages import Template, function


def api() -> Template:
    """Routes of every kind, and the functions behind them."""
    uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${%s.Arn}/invocations"
    run = {
        "x-amazon-apigateway-integration": {
            "type": "aws_proxy",
            "httpMethod": "POST",
            "uri": {"Fn::Sub": uri % "ApiFunction"},
        }
    }
    cors = {
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
    body = {
        "swagger": "2.0",
        "info": {"title": "api", "version": "1.0"},
        "paths": {
            "/things/{name}": {"get": run, "options": cors},
            "/things/mine": {"get": run},
            "/secret": {"get": {**run, "security": [{"guard": []}]}},
            "/broken": {"get": run},
            "/slow": {"get": run},
            "/picture": {"post": run},
        },
        "securityDefinitions": {
            "guard": {
                "type": "apiKey",
                "in": "header",
                "name": "Authorization",
                "x-amazon-apigateway-authorizer": {
                    "type": "token",
                    "authorizerUri": {"Fn::Sub": uri % "Authorize"},
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
