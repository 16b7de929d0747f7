import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.file.*;
import java.util.*;
import org.apache.kafka.common.InvalidRecordException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.*;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.*;
import org.apache.kafka.common.requests.ProduceRequest;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.internals.*;
import org.apache.kafka.storage.internals.log.*;

/**
 * Asks Kafka's checks of a Produce request, of its leader's log, and its LogValidator.
 * Line: name version compacted timestampType before after maxMessageBytes maxRecordBytes target now hex.
 * Answer: name code record-indexes hex-of-the-validated-batch.
 */
public class Verdicts {
    public static void main(String[] args) throws Exception {
        List<String> out = new ArrayList<>();
        for (String line : Files.readAllLines(Path.of(args[0]))) out.add(verdict(line.split(" ")));
        Files.write(Path.of(args[1]), out);
    }

    static String verdict(String[] f) {
        byte[] raw = HexFormat.of().parseHex(f[10]);
        MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(raw));
        try {
            ProduceRequest.validateRecords(Short.parseShort(f[1]), records);
            MutableRecordBatch b = records.batches().iterator().next();
            if (b.baseOffset() != 0) throw new InvalidRecordException("base offset");
            if (b.sizeInBytes() > Integer.parseInt(f[6])) throw new RecordTooLargeException("size");
            if (!b.isValid()) throw new CorruptRecordException("crc");
            CompressionType source = b.compressionType();
            Compression target = f[8].equals("producer") ? Compression.of(source).build() : Compression.of(f[8]).build();
            long now = Long.parseLong(f[9]);
            Time time = (Time) Proxy.newProxyInstance(Verdicts.class.getClassLoader(), new Class<?>[] {Time.class}, (p, m, a) -> m.getReturnType() == long.class ? now : null);
            LogValidator.MetricsRecorder none = (LogValidator.MetricsRecorder) Proxy.newProxyInstance(Verdicts.class.getClassLoader(), new Class<?>[] {LogValidator.MetricsRecorder.class}, (p, m, a) -> null);
            int maxRecord = Integer.parseInt(f[7]);
            LogValidator v = new LogValidator(records, new TopicPartition("t", 0), time, source, target, f[2].equals("true"), (byte) 2,
                TimestampType.forName(f[3]), Long.parseLong(f[4]), Long.parseLong(f[5]), b.partitionLeaderEpoch(), AppendOrigin.CLIENT,
                maxRecord == 0 ? Integer.MAX_VALUE : maxRecord);
            LogValidator.ValidationResult r = v.validateMessagesAndAssignOffsets(PrimitiveRef.ofLong(0), none, BufferSupplier.NO_CACHING);
            ByteBuffer o = r.validatedRecords().buffer();
            byte[] bytes = new byte[o.remaining()];
            o.duplicate().get(bytes);
            if (bytes.length > Integer.parseInt(f[6])) throw new RecordTooLargeException("size");
            return f[0] + " NONE - " + HexFormat.of().formatHex(bytes);
        } catch (RecordValidationException e) {
            StringJoiner j = new StringJoiner(",");
            e.recordErrors().forEach(x -> j.add(Integer.toString(x.batchIndex)));
            return f[0] + " " + Errors.forException(e.invalidException()) + " " + j + " -";
        } catch (Throwable e) {
            return f[0] + " " + Errors.forException(e) + " - - " + e.getClass().getSimpleName() + ": " + String.valueOf(e.getMessage()).replace('\n', ' ');
        }
    }
}
