import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.*;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.*;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.*;

/** Writes the .bin files of this folder with Apache Kafka's own classes. Argument: the folder. */
public class Goldens {
    static Path dir;

    public static void main(String[] args) throws Exception {
        dir = Path.of(args[0]);
        Map<String, Compression> codecs = new LinkedHashMap<>();
        codecs.put("none", Compression.NONE);
        codecs.put("gzip", Compression.gzip().level(6).build());
        codecs.put("snappy", Compression.snappy().build());
        codecs.put("lz4", Compression.lz4().build());
        codecs.put("lz4hc", Compression.lz4().level(17).build());
        codecs.put("zstd", Compression.zstd().level(3).build());
        for (Map.Entry<String, Compression> c : codecs.entrySet()) {
            write(c.getKey(), MemoryRecords.withRecords((byte) 2, 1000L, c.getValue(), TimestampType.CREATE_TIME, 0x1234L, (short) 7, 42, 9, false, small()));
            if (!c.getKey().equals("none")) write("large-" + c.getKey(), MemoryRecords.withRecords(5L, c.getValue(), 3, large()));
        }
        write("append-time", MemoryRecords.withRecords((byte) 2, 3L, Compression.NONE, TimestampType.LOG_APPEND_TIME, small()));
        write("txn", MemoryRecords.withTransactionalRecords(Compression.NONE, 77L, (short) 2, 0, small()));
        write("commit", MemoryRecords.withEndTransactionMarker(10L, 1700000000000L, 4, 77L, (short) 2, new EndTransactionMarker(ControlRecordType.COMMIT, 13)));
        write("abort", MemoryRecords.withEndTransactionMarker(11L, 1700000000000L, 4, 77L, (short) 2, new EndTransactionMarker(ControlRecordType.ABORT, 14)));
        control();
        try (var b = MemoryRecords.builder(ByteBuffer.allocate(4096), (byte) 2, Compression.NONE, TimestampType.CREATE_TIME, 100L)) {
            b.appendWithOffset(101, 5, "a".getBytes(), "b".getBytes());
            b.appendWithOffset(107, 4, "c".getBytes(), null);
            write("gaps", b.build());
        }
    }

    static SimpleRecord[] small() {
        byte[] k = "key".getBytes(StandardCharsets.UTF_8);
        Header[] hs = {new RecordHeader("h1", "v1".getBytes(StandardCharsets.UTF_8)), new RecordHeader("h2", null), new RecordHeader("", new byte[0]),
            new RecordHeader("ключ", new byte[] {0, -1})};
        return new SimpleRecord[] {
            new SimpleRecord(1700000000000L, k, "value".getBytes(StandardCharsets.UTF_8)),
            new SimpleRecord(1700000000500L, null, "no key".getBytes(StandardCharsets.UTF_8)),
            new SimpleRecord(1699999999000L, k, null),
            new SimpleRecord(1700000000001L, new byte[0], new byte[0], hs),
            new SimpleRecord(1700000000400L, (byte[]) null, (byte[]) null, hs),
        };
    }

    /** 100 records of 1,000 bytes each, more than one block of every codec. */
    static SimpleRecord[] large() {
        SimpleRecord[] out = new SimpleRecord[100];
        for (int i = 0; i < out.length; i++) {
            byte[] v = new byte[1000];
            int x = i + 1;
            for (int j = 0; j < v.length; j++) {
                if (j % 8 == 0) x = x * 1103515245 + 12345;
                v[j] = (byte) ('a' + ((x >>> 16) & 7));
            }
            out[i] = new SimpleRecord(1700000000000L + i, ("k" + i).getBytes(), v);
        }
        return out;
    }

    static void control() throws Exception {
        LeaderChangeMessage m = new LeaderChangeMessage().setVersion((short) 0).setLeaderId(1)
            .setVoters(List.of(new LeaderChangeMessage.Voter().setVoterId(1), new LeaderChangeMessage.Voter().setVoterId(2)))
            .setGrantingVoters(List.of(new LeaderChangeMessage.Voter().setVoterId(2)));
        write("leader-change", MemoryRecords.withLeaderChangeMessage(0, 1700000000000L, 5, ByteBuffer.allocate(512), m));
        write("snapshot-header", MemoryRecords.withSnapshotHeaderRecord(0, 1700000000000L, 5, ByteBuffer.allocate(512),
            new SnapshotHeaderRecord().setVersion((short) 0).setLastContainedLogTimestamp(1699999999999L)));
        write("snapshot-footer", MemoryRecords.withSnapshotFooterRecord(9, 1700000000000L, 5, ByteBuffer.allocate(512), new SnapshotFooterRecord().setVersion((short) 0)));
        write("kraft-version", MemoryRecords.withKRaftVersionRecord(1, 1700000000000L, 5, ByteBuffer.allocate(512), new KRaftVersionRecord().setVersion((short) 0).setKRaftVersion((short) 1)));
        VotersRecord.EndpointCollection ends = new VotersRecord.EndpointCollection();
        ends.add(new VotersRecord.Endpoint().setName("CONTROLLER").setHost("localhost").setPort(65000));
        write("kraft-voters", MemoryRecords.withVotersRecord(2, 1700000000000L, 5, ByteBuffer.allocate(512), new VotersRecord().setVersion((short) 0).setVoters(List.of(
            new VotersRecord.Voter().setVoterId(1).setVoterDirectoryId(new Uuid(1, 2)).setEndpoints(ends)
                .setKRaftVersionFeature(new VotersRecord.KRaftVersionFeature().setMinSupportedVersion((short) 0).setMaxSupportedVersion((short) 1))))));
    }

    static void write(String name, MemoryRecords r) throws Exception {
        byte[] b = new byte[r.buffer().remaining()];
        r.buffer().duplicate().get(b);
        Files.write(dir.resolve(name + ".bin"), b);
    }
}
