import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.*;

/** Makes the files of this folder by way of a running broker. Argument: bootstrap. */
public class Feed {
    static String boot;

    static Properties props(Object... kv) {
        Properties p = new Properties();
        p.put("bootstrap.servers", boot);
        for (int i = 0; i < kv.length; i += 2) p.put(kv[i], kv[i + 1]);
        return p;
    }

    static KafkaProducer<String, String> producer(Object... kv) {
        return new KafkaProducer<>(props(kv), new StringSerializer(), new StringSerializer());
    }

    public static void main(String[] args) throws Exception {
        boot = args[0];
        try (Admin a = Admin.create(props())) {
            a.createTopics(List.of(
                new NewTopic("plain", 1, (short) 1).configs(Map.of("index.interval.bytes", "200", "segment.ms", "2500")),
                new NewTopic("txn", 1, (short) 1))).all().get();
            a.incrementalAlterConfigs(Map.of(new org.apache.kafka.common.config.ConfigResource(org.apache.kafka.common.config.ConfigResource.Type.GROUP, "share"),
                List.of(new AlterConfigOp(new ConfigEntry("share.auto.offset.reset", "earliest"), AlterConfigOp.OpType.SET)))).all().get();
        }
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            try (var p = producer("compression.type", codec, "linger.ms", 20)) {
                p.send(new ProducerRecord<>("plain", 0, "key-" + codec, "value of " + codec));
                p.send(new ProducerRecord<>("plain", 0, null, null, "no key", List.of(new RecordHeader("h1", "v1".getBytes()), new RecordHeader("h2", null))));
                p.send(new ProducerRecord<>("plain", 0, "key-" + codec, null));
                p.flush();
            }
        }
        Thread.sleep(3000);
        try (var p = producer("enable.idempotence", "false", "acks", "1")) {
            p.send(new ProducerRecord<>("plain", 0, "after the roll", "last"));
        }
        try (var p = producer("transactional.id", "tx-1")) {
            p.initTransactions();
            p.beginTransaction();
            p.send(new ProducerRecord<>("txn", 0, "a", "committed"));
            p.commitTransaction();
            p.beginTransaction();
            p.send(new ProducerRecord<>("txn", 0, "b", "aborted"));
            p.flush();
            p.abortTransaction();
        }
        for (String protocol : List.of("classic", "consumer")) {
            try (var c = new KafkaConsumer<>(props("group.id", "group-" + protocol, "group.protocol", protocol, "auto.offset.reset", "earliest"),
                    new StringDeserializer(), new StringDeserializer())) {
                c.subscribe(List.of("plain"));
                for (int n = 0; n < 16;) n += c.poll(Duration.ofSeconds(1)).count();
                c.commitSync();
            }
        }
        try (var c = new KafkaShareConsumer<>(props("group.id", "share"), new StringDeserializer(), new StringDeserializer())) {
            c.subscribe(List.of("plain"));
            for (int n = 0, i = 0; n < 16 && i < 20; i++) n += c.poll(Duration.ofSeconds(1)).count();
            c.commitSync();
        }
    }
}
