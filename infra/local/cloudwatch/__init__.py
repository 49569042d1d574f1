"""CloudWatch's part: what functions and queues measure, and the template's alarms over it."""
