"""Produces and reads back with confluent-kafka: every codec, keys, headers,
null keys and tombstones, with and without a group. Exits with 1 and a message
at the first difference."""
import sys
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

bootstrap = sys.argv[1]
RECORDS = 300


def record(i):
    key = None if i % 7 == 3 else b"key-%d" % i
    value = None if i % 11 == 5 else b"value \x00\xff %d " % i * (1 + i % 20)
    return key, value, [("h", b"%d" % i), ("empty", b""), ("null", None)]


def check(got, want, what):
    if got != want:
        sys.exit("%s: got %r, want %r" % (what, got, want))


def read(consumer, count):
    out = []
    while len(out) < count:
        m = consumer.poll(60)
        if m is None:
            sys.exit("no record within 60 s, %d of %d read" % (len(out), count))
        if m.error():
            sys.exit(str(m.error()))
        out.append(m)
    return out


admin = AdminClient({"bootstrap.servers": bootstrap})
for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
    topic = "py-" + codec
    for f in admin.create_topics([NewTopic(topic, 1)]).values():
        f.result()
    failed = []
    p = Producer({"bootstrap.servers": bootstrap, "compression.type": codec,
                  "enable.idempotence": True, "linger.ms": 20})
    for i in range(RECORDS):
        key, value, headers = record(i)
        p.produce(topic, value, key, headers=headers, timestamp=1700000000000 + i,
                  on_delivery=lambda err, m: err and failed.append(err))
    if p.flush(60) or failed:
        sys.exit("%s: not delivered: %s" % (topic, failed[:3]))
    for group in (False, True):
        c = Consumer({"bootstrap.servers": bootstrap, "group.id": "py-group-" + codec,
                      "auto.offset.reset": "earliest", "enable.auto.commit": False})
        if group:
            c.subscribe([topic])
        else:
            c.assign([TopicPartition(topic, 0, 0)])
        for i, m in enumerate(read(c, RECORDS)):
            key, value, headers = record(i)
            what = "%s record %d" % (topic, i)
            check(m.offset(), i, what + " offset")
            check(m.key(), key, what + " key")
            check(m.value(), value, what + " value")
            check(m.headers(), headers, what + " headers")
            check(m.timestamp()[1], 1700000000000 + i, what + " timestamp")
        if group:
            c.commit(asynchronous=False)
            check(c.committed([TopicPartition(topic, 0)])[0].offset, RECORDS, topic + " committed offset")
        c.close()
want = ["py-" + codec for codec in ("gzip", "lz4", "none", "snappy", "zstd")]
check(sorted(t for t in admin.list_topics(timeout=60).topics if t[:3] == "py-"), want, "list of topics")
check(list(admin.list_topics("py-zstd", timeout=60).topics), ["py-zstd"], "list of one topic")
print("ok")
