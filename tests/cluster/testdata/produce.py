"""An idempotent producer of librdkafka's, without end: prints a line of JSON for
each record that was acknowledged or given up, as Kafka's VerifiableProducer does."""
import json
import sys
import time
from confluent_kafka import Producer

bootstrap, topic, program, rate = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
p = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 2, "socket.timeout.ms": 2000,
              "message.timeout.ms": 0, "retry.backoff.ms": 50, "topic.metadata.refresh.interval.ms": 2000, "reconnect.backoff.max.ms": 500})


def told(value):
    def on_delivery(err, m):
        line = {"name": "producer_send_error", "value": value, "message": str(err)} if err else \
            {"name": "producer_send_success", "value": value, "partition": m.partition(), "offset": m.offset()}
        print(json.dumps(line), flush=True)
    return on_delivery


n = 0
while True:
    value = "%s.%d" % (program, n)
    try:
        p.produce(topic, value.encode(), on_delivery=told(value))
        n += 1
    except BufferError:
        pass
    p.poll(1.0 / rate)
