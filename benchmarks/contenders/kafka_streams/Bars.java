import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Materialized.StoreType;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.Suppressed.BufferConfig;
import org.apache.kafka.streams.kstream.TimeWindowedKStream;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.processor.TimestampExtractor;
import org.apache.kafka.streams.state.WindowStore;

/**
 * One-minute bars by Kafka Streams, exactly once, and reading alone by Kafka's own consumer.
 *
 * <p>The tick is decoded by hand, which is faster than Avro's library; everything else is as the
 * manual shows it.
 *
 * <pre>
 * default    DSL: suppress(untilWindowCloses), RocksDB, one thread, everything else as it comes
 * best       DSL: what was fastest of the variants that were tried, see {@link #tune}
 * processor  Processor API: a store in memory with a cache, see {@link Closing}; tuned alike
 * raw        the plain consumer: counts records and parses nothing
 * </pre>
 *
 * <p>The measurement of recovery adds {@code --instance NAME} for a static member, {@code --session
 * MS} for its time-out, {@code --retention MS} of the store, and a {@code --state} folder for each
 * member.
 */
public final class Bars {
    private static final Duration WINDOW = Duration.ofMinutes(1);
    private static final Duration GRACE = Duration.ofSeconds(5);
    private static final Duration CLOSE = Duration.ofSeconds(10);
    private static final int VALUE_BYTES = 40;
    private static final int STATE_BYTES = VALUE_BYTES + 16;
    private static final int FRAME_BYTES = 5;

    private static final AtomicBoolean RUNNING = new AtomicBoolean();
    /** A plain copy, since every tick looks at it. */
    private static boolean running;

    private Bars() {}

    public static void main(String[] args) throws Exception {
        Map<String, String> options = options(args);
        if (options.get("--mode").equals("raw")) {
            read(options);
        } else {
            stream(options);
        }
    }

    private static Map<String, String> options(String[] args) {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i + 1 < args.length; i += 2) {
            options.put(args[i], args[i + 1]);
        }
        return options;
    }

    /** Tell the bench, once, that the first record is here. */
    private static void announce() {
        if (!running && RUNNING.compareAndSet(false, true)) {
            running = true;
            System.out.println("RUNNING");
        }
    }

    // ---- Kafka Streams

    private static void stream(Map<String, String> options) {
        String mode = options.get("--mode");
        Properties config = config(options);
        if (!mode.equals("default")) {
            tune(config);
        }
        Topology topology =
                mode.equals("processor")
                        ? Closing.topology(options, WINDOW, GRACE)
                        : windows(options, mode.equals("best")).build(config);
        KafkaStreams streams = new KafkaStreams(topology, config);
        Path state = Path.of(options.get("--state"), options.get("--group"));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(streams, state)));
        streams.start();
    }

    private static Properties config(Map<String, String> options) {
        Properties config = new Properties();
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, options.get("--bootstrap"));
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, options.get("--group"));
        config.put(StreamsConfig.STATE_DIR_CONFIG, options.get("--state"));
        config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        config.put(StreamsConfig.DEFAULT_TIMESTAMP_EXTRACTOR_CLASS_CONFIG, EventTime.class);
        config.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        if (options.containsKey("--instance")) {
            config.put(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG, options.get("--instance"));
        }
        if (options.containsKey("--session")) {
            config.put(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG, options.get("--session"));
        }
        return config;
    }

    /**
     * The fastest of what was tried with the DSL, in k ticks/s for 5 M ticks (two cores, the broker
     * on them too; runs differ by a tenth): in-memory store, emission on close, two threads, a
     * commit every second, nothing compressed, parallel collector: 820. With lz4 700-800, and from
     * there: one or four threads 630, a commit every 100 ms 650, every 5 s 510, suppress() with
     * 256 MiB of cache 680, RocksDB with that cache 380, the serial collector 730, G1 590, polls
     * and buffers of 10 000 records or Java 25 in place of 17 no difference.
     */
    private static void tune(Properties config) {
        config.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
        config.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000);
        // Room for every open window, so that nothing is logged before its commit.
        config.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 64L << 20);
        config.put(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, 4 << 20);
        config.put(ConsumerConfig.RECEIVE_BUFFER_CONFIG, 1 << 20);
        config.put(ProducerConfig.BATCH_SIZE_CONFIG, 256 << 10);
        config.put(ProducerConfig.BUFFER_MEMORY_CONFIG, 64L << 20);
        config.put(ProducerConfig.SEND_BUFFER_CONFIG, 1 << 20);
        // Emission on close is throttled to once a second otherwise, and the last bars of a topic
        // that falls silent would never come.
        config.put("__emit.interval.ms.kstreams.windowed.aggregation__", 0);
    }

    private static StreamsBuilder windows(Map<String, String> options, boolean best) {
        StreamsBuilder builder = new StreamsBuilder();
        TimeWindowedKStream<Bytes, Tick> windows =
                builder.stream(options.get("--topic"), Consumed.with(Serdes.Bytes(), Tick.SERDE))
                        .groupByKey(Grouped.with(Serdes.Bytes(), Tick.SERDE))
                        .windowedBy(TimeWindows.ofSizeAndGrace(WINDOW, GRACE));
        var store = store(best ? StoreType.IN_MEMORY : StoreType.ROCKS_DB);
        if (options.containsKey("--retention")) {
            store.withRetention(Duration.ofMillis(Long.parseLong(options.get("--retention"))));
        }
        if (best) {
            windows = windows.emitStrategy(EmitStrategy.onWindowClose());
        }
        var bars = windows.aggregate(Bar::new, (key, tick, bar) -> bar.add(tick), store);
        if (!best) {
            var closed = Suppressed.untilWindowCloses(BufferConfig.unbounded());
            bars = bars.suppress(closed.withName("closed"));
        }
        bars.toStream((window, bar) -> outputKey(window))
                .to(options.get("--output"), Produced.with(Serdes.Bytes(), Bar.VALUE));
        return builder;
    }

    private static Materialized<Bytes, Bar, WindowStore<Bytes, byte[]>> store(StoreType type) {
        return Materialized.<Bytes, Bar, WindowStore<Bytes, byte[]>>as("bars")
                .withKeySerde(Serdes.Bytes())
                .withValueSerde(Bar.SERDE)
                .withStoreType(type);
    }

    private static Bytes outputKey(Windowed<Bytes> window) {
        byte[] series = window.key().get();
        byte[] start = ("|" + window.window().start()).getBytes(StandardCharsets.US_ASCII);
        byte[] key = Arrays.copyOf(series, series.length + start.length);
        System.arraycopy(start, 0, key, series.length, start.length);
        return Bytes.wrap(key);
    }

    /** End cleanly, and leave no local state behind: the next run has another group. */
    private static void stop(KafkaStreams streams, Path state) {
        streams.close(CLOSE);
        if (!Files.exists(state)) {
            return; // nothing was kept on disk
        }
        try (var files = Files.walk(state)) {
            files.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(File::delete);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    // ---- reading alone

    private static void read(Map<String, String> options) throws InterruptedException {
        Properties config = new Properties();
        config.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, options.get("--bootstrap"));
        config.put(ConsumerConfig.GROUP_ID_CONFIG, options.get("--group"));
        config.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        config.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
        config.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, 10_000);
        config.put(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, 4 << 20);
        config.put(ConsumerConfig.RECEIVE_BUFFER_CONFIG, 1 << 20);
        long ticks = Long.parseLong(options.get("--ticks"));
        var bytes = new ByteArrayDeserializer();
        try (var consumer = new KafkaConsumer<>(config, bytes, bytes)) {
            consumer.subscribe(List.of(options.get("--topic")));
            long seen = 0;
            while (seen < ticks) {
                ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofSeconds(1));
                if (!records.isEmpty()) {
                    announce();
                }
                for (ConsumerRecord<byte[], byte[]> record : records) {
                    seen += record.value().length > 0 ? 1 : 0;
                }
            }
            System.out.println("DONE " + seen);
        }
        Thread.currentThread().join(); // what it used is still to be read: SIGTERM ends it
    }

    // ---- a tick and a bar

    /** What is needed of a value in the built-in tick schema, behind a Confluent frame. */
    static final class Tick {
        static final Serde<Tick> SERDE = Serdes.serdeFrom(Tick::neverWritten, reader());

        final long timeMs;
        final double price;

        private Tick(long timeMs, double price) {
            this.timeMs = timeMs;
            this.price = price;
        }

        private static Deserializer<Tick> reader() {
            return (topic, data) -> {
                announce();
                ByteBuffer value = ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN);
                value.position(FRAME_BYTES);
                skipString(value);
                skipString(value);
                return new Tick(readLong(value), value.getDouble());
            };
        }

        private static byte[] neverWritten(String topic, Tick tick) {
            throw new UnsupportedOperationException("ticks are only read");
        }

        private static void skipString(ByteBuffer value) {
            int length = (int) readLong(value);
            value.position(value.position() + length);
        }

        /** Avro's long: zigzag, seven bits a byte, the lowest first. */
        private static long readLong(ByteBuffer value) {
            long bits = 0;
            int shift = 0;
            byte next;
            do {
                next = value.get();
                bits |= (next & 0x7fL) << shift;
                shift += 7;
            } while (next < 0);
            return (bits >>> 1) ^ -(bits & 1);
        }
    }

    /** Event time is the tick's own. */
    public static final class EventTime implements TimestampExtractor {
        @Override
        public long extract(ConsumerRecord<Object, Object> record, long partitionTime) {
            return ((Tick) record.value()).timeMs;
        }
    }

    static final class Bar {
        /** With the two times that decide open and close: the state. */
        static final Serde<Bar> SERDE = Serdes.serdeFrom(Bar::state, Bar.reader());
        /** Without them: what leaves. */
        static final Serde<Bar> VALUE =
                Serdes.serdeFrom((topic, bar) -> bar.write(VALUE_BYTES), Bar.reader());

        private double open;
        private double high = Double.NEGATIVE_INFINITY;
        private double low = Double.POSITIVE_INFINITY;
        private double close;
        private long count;
        private long firstMs = Long.MAX_VALUE;
        private long lastMs = Long.MIN_VALUE;

        Bar add(Tick tick) {
            double price = tick.price;
            if (tick.timeMs < firstMs) {
                firstMs = tick.timeMs;
                open = price;
            }
            if (tick.timeMs >= lastMs) {
                lastMs = tick.timeMs;
                close = price;
            }
            high = Math.max(high, price);
            low = Math.min(low, price);
            count++;
            return this;
        }

        private static byte[] state(String topic, Bar bar) {
            return bar == null ? null : bar.write(STATE_BYTES);
        }

        private byte[] write(int size) {
            ByteBuffer data = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
            data.putDouble(open).putDouble(high).putDouble(low).putDouble(close).putLong(count);
            if (size == STATE_BYTES) {
                data.putLong(firstMs).putLong(lastMs);
            }
            return data.array();
        }

        private static Deserializer<Bar> reader() {
            return (topic, bytes) -> {
                if (bytes == null) {
                    return null;
                }
                ByteBuffer data = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
                Bar bar = new Bar();
                bar.open = data.getDouble();
                bar.high = data.getDouble();
                bar.low = data.getDouble();
                bar.close = data.getDouble();
                bar.count = data.getLong();
                bar.firstMs = data.getLong();
                bar.lastMs = data.getLong();
                return bar;
            };
        }
    }
}
