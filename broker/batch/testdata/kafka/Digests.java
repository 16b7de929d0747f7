import java.nio.ByteBuffer;
import java.nio.file.*;
import java.security.MessageDigest;
import java.util.*;
import java.util.stream.*;
import org.apache.kafka.common.record.internal.*;

/** Reads batches with Kafka's own classes. Arguments: their folder, the file for lines "name sha256-of-file sha256-of-keys-and-values". */
public class Digests {
    public static void main(String[] args) throws Exception {
        List<String> out = new ArrayList<>();
        List<Path> files;
        try (Stream<Path> s = Files.list(Path.of(args[0]))) { files = s.sorted().toList(); }
        for (Path p : files) {
            byte[] b = Files.readAllBytes(p);
            MessageDigest d = MessageDigest.getInstance("SHA-256");
            for (MutableRecordBatch batch : MemoryRecords.readableRecords(ByteBuffer.wrap(b)).batches()) {
                batch.ensureValid();
                for (var r : batch) {
                    if (r.hasKey()) d.update(r.key());
                    if (r.hasValue()) d.update(r.value());
                }
            }
            out.add(p.getFileName() + " " + HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(b)) + " " + HexFormat.of().formatHex(d.digest()));
        }
        Files.write(Path.of(args[1]), out);
    }
}
