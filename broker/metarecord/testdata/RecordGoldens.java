import com.fasterxml.jackson.databind.JsonNode;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.metadata.MetadataRecordType;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.CompactArrayOf;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.metadata.MetadataRecordSerde;
import org.apache.kafka.server.common.ApiMessageAndVersion;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import java.nio.ByteBuffer;

// Prints one line for each version of each of Kafka's metadata records, with
// the defaults and with every field set: type, version, value in hex, JSON.
public class RecordGoldens {
    static int n = 0;

    public static void main(String[] a) throws Exception {
        for (MetadataRecordType t : MetadataRecordType.values()) {
            for (short v = t.lowestSupportedVersion(); v <= t.highestSupportedVersion(); v++) {
                print(t, v, t.newMetadataRecord());
                ApiMessage m = t.newMetadataRecord();
                n = 0;
                Schema[] schemas = (Schema[]) m.getClass().getField("SCHEMAS").get(null);
                fill(m, schemas[v]);
                print(t, v, m);
            }
        }
    }

    static void print(MetadataRecordType t, short v, ApiMessage m) throws Exception {
        ObjectSerializationCache c = new ObjectSerializationCache();
        ApiMessageAndVersion mv = new ApiMessageAndVersion(m, v);
        MetadataRecordSerde serde = MetadataRecordSerde.INSTANCE;
        int size = serde.recordSize(mv, c);
        ByteBuffer b = ByteBuffer.allocate(size);
        serde.write(mv, c, new ByteBufferAccessor(b));
        StringBuilder hex = new StringBuilder();
        for (byte x : b.array()) hex.append(String.format("%02x", x));
        Class<?> conv = Class.forName(m.getClass().getName() + "JsonConverter");
        JsonNode json = (JsonNode) conv.getMethod("write", m.getClass(), short.class).invoke(null, m, v);
        System.out.println(t.id() + " " + v + " " + hex + " " + json);
    }

    static void fill(Object m, Schema s) throws Exception {
        for (BoundField bf : s.fields()) {
            if (bf.def.type instanceof TaggedFields) {
                for (Field f : ((TaggedFields) bf.def.type).fields().values()) set(m, f);
            } else {
                set(m, bf.def);
            }
        }
    }

    static void set(Object m, Field f) throws Exception {
        StringBuilder name = new StringBuilder("set");
        for (String w : f.name.split("_")) name.append(Character.toUpperCase(w.charAt(0))).append(w.substring(1));
        for (Method x : m.getClass().getMethods()) {
            if (x.getName().equals(name.toString())) {
                x.invoke(m, value(x.getGenericParameterTypes()[0], f.type));
                return;
            }
        }
        throw new RuntimeException("no " + name + " in " + m.getClass());
    }

    static Object value(java.lang.reflect.Type t, Type schema) throws Exception {
        n++;
        if (t == byte.class) return (byte) (1);
        if (t == short.class) return (short) (300 + n);
        if (t == int.class) return schema == Type.UINT16 ? 60000 + n : 70000 + n;
        if (t == long.class) return 5000000000L + n;
        if (t == boolean.class) return n % 2 == 0;
        if (t == double.class) return 1.5 + n;
        if (t == String.class) return "text" + n + (n % 3 == 0 ? "x".repeat(200) : "");
        if (t == Uuid.class) return new Uuid(0x0102030405060708L + n, 0x1112131415161718L * n);
        if (t == byte[].class) return ("bytes" + n).getBytes();
        if (t instanceof ParameterizedType) {
            java.lang.reflect.Type el = ((ParameterizedType) t).getActualTypeArguments()[0];
            Type elSchema = schema.arrayElementType().get();
            List<Object> l = new ArrayList<>();
            for (int i = 0; i < 3; i++) l.add(element(el, elSchema));
            return l;
        }
        Class<?> c = (Class<?>) t; // a collection of structs
        @SuppressWarnings("unchecked")
        java.util.Collection<Object> coll = (java.util.Collection<Object>) c.getConstructor().newInstance();
        java.lang.reflect.Type el = ((ParameterizedType) c.getGenericSuperclass()).getActualTypeArguments()[0];
        for (int i = 0; i < 3; i++) coll.add(element(el, schema.arrayElementType().get()));
        return coll;
    }

    static Object element(java.lang.reflect.Type el, Type schema) throws Exception {
        if (el == Integer.class) return value(int.class, schema);
        if (schema instanceof Schema) {
            Object o = ((Class<?>) el).getConstructor().newInstance();
            fill(o, (Schema) schema);
            return o;
        }
        return value(el, schema);
    }
}
