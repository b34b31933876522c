import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The same bars by the Processor API: one store in memory, with its changelog and with a cache.
 *
 * <p>Emission on close in the DSL writes every change of a window to the changelog, since it turns
 * the store's cache off. Here the cache gathers them, and what is logged is one change of a window a
 * commit. The guarantee is the same: bars, changes and offsets are one transaction.
 *
 * <p>A key is the start of its window in ms, big-endian, and the series: what is due comes first.
 */
final class Closing implements Processor<Bytes, Bars.Tick, Bytes, Bars.Bar> {
    private static final String STORE = "bars";

    private final long windowMs;
    private final long graceMs;
    private ProcessorContext<Bytes, Bars.Bar> context;
    private KeyValueStore<Bytes, Bars.Bar> bars;
    /** No window that began before this is open. */
    private long openFromMs = Long.MIN_VALUE;

    private Closing(Duration window, Duration grace) {
        this.windowMs = window.toMillis();
        this.graceMs = grace.toMillis();
    }

    static Topology topology(Map<String, String> options, Duration window, Duration grace) {
        var inMemory = Stores.inMemoryKeyValueStore(STORE);
        var store =
                Stores.keyValueStoreBuilder(inMemory, Serdes.Bytes(), Bars.Bar.SERDE)
                        .withCachingEnabled()
                        .withLoggingEnabled(Map.of());
        var key = Serdes.Bytes();
        return new Topology()
                .addSource(
                        "ticks",
                        key.deserializer(),
                        Bars.Tick.SERDE.deserializer(),
                        options.get("--topic"))
                .addProcessor("closing", () -> new Closing(window, grace), "ticks")
                .addStateStore(store, "closing")
                .addSink(
                        "out",
                        options.get("--output"),
                        key.serializer(),
                        Bars.Bar.VALUE.serializer(),
                        "closing");
    }

    @Override
    public void init(ProcessorContext<Bytes, Bars.Bar> context) {
        this.context = context;
        this.bars = context.getStateStore(STORE);
    }

    /** Close what is due by the stream's time, this tick included; drop the tick if it is late. */
    @Override
    public void process(Record<Bytes, Bars.Tick> record) {
        long watermark = context.currentStreamTimeMs() - graceMs;
        long dueFromMs = Math.floorDiv(watermark, windowMs) * windowMs;
        if (dueFromMs > openFromMs) {
            close(dueFromMs);
            openFromMs = dueFromMs;
        }
        Bars.Tick tick = record.value();
        long start = Math.floorDiv(tick.timeMs, windowMs) * windowMs;
        if (start < openFromMs) {
            return;
        }
        Bytes window = key(start, record.key().get());
        Bars.Bar bar = bars.get(window);
        bars.put(window, (bar == null ? new Bars.Bar() : bar).add(tick));
    }

    /** Send every bar whose window began before, and forget it. */
    private void close(long beforeMs) {
        List<Bytes> gone = new ArrayList<>();
        try (var due = bars.range(null, key(beforeMs, new byte[0]))) {
            while (due.hasNext()) {
                KeyValue<Bytes, Bars.Bar> next = due.next();
                context.forward(new Record<>(outputKey(next.key), next.value, start(next.key)));
                gone.add(next.key);
            }
        }
        gone.forEach(bars::delete);
    }

    private static Bytes key(long startMs, byte[] series) {
        byte[] key = new byte[Long.BYTES + series.length];
        ByteBuffer.wrap(key).putLong(startMs).put(series);
        return Bytes.wrap(key);
    }

    private static long start(Bytes key) {
        return ByteBuffer.wrap(key.get()).getLong();
    }

    private static Bytes outputKey(Bytes key) {
        byte[] series = Arrays.copyOfRange(key.get(), Long.BYTES, key.get().length);
        String text = new String(series, StandardCharsets.US_ASCII);
        return Bytes.wrap((text + "|" + start(key)).getBytes(StandardCharsets.US_ASCII));
    }
}
