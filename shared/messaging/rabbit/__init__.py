"""The same promises over RabbitMQ, by kombu; the only folder that speaks AMQP."""
