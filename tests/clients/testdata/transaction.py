# Begins a transactional producer, which must be refused.
import sys

from confluent_kafka import Producer

Producer({"bootstrap.servers": sys.argv[1], "transactional.id": "tx"}).init_transactions(60)
