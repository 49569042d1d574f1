"""CloudWatch: metrics of functions and queues, and the template's alarms on them."""
