package dev.panatune.format;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.FormatException;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.zip.Deflater;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Headers of a hundred megabytes, made to exhaust memory, are refused in a heap of 256 MB, without
 * libtorch.
 */
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class SmallHeapTest {
  private static final int HEADER_BYTES = 99_000_000;
  private static final long LONGEST_NANOS = 12_000_000_000L;

  @TempDir Path directory;

  /** Inspects each argument and prints what came of it. */
  static final class Probe {
    private Probe() {}

    public static void main(String[] paths) {
      for (String path : paths) {
        long start = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
        try {
          System.out.println(Inspection.of(Path.of(path)).tensors().size() + " tensors");
        } catch (FormatException e) {
          System.out.println("refused");
        } catch (OutOfMemoryError e) {
          System.out.println("out of memory in " + path);
        }
        long end = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
        if (end - start > LONGEST_NANOS) {
          System.out.println("computed for " + (end - start) + " ns in " + path);
        }
      }
    }
  }

  @Test
  void hostileHeadersAreRefused() throws Exception {
    String none = "\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}";
    String deep = "\"dtype\":\"U8\",\"shape\":[" + "1,".repeat(63) + "0],\"data_offsets\":[0,0]}";
    String wide = "中" + "x".repeat(40_000);
    String text = "y".repeat(1 << 20);
    List<Path> files =
        List.of(
            safetensors("overlapping", "{", "\"%d\":{" + none.replace("0]", "1]"), "}"),
            safetensors("empty", "{", "\"%d\":{" + none, "}"),
            safetensors("long_names", "{", "\"%d" + wide + "\":{" + none, "}"),
            safetensors("ranks", "{", "\"%d\":{" + deep, "}"),
            safetensors("metadata", "{\"__metadata__\":{", "\"%d\":\"" + text + "\"", "}}"),
            ggufOfKeys(),
            ggufText("long_text", (24 << 20) + 1),
            ggufList("strings", GgufBytes.STRING, HEADER_BYTES / 8),
            ggufList("numbers", GgufBytes.UINT8, 2 * HEADER_BYTES),
            pickle("lists", "]"),
            pickle("tables", "}K\1Ns"),
            pickle("kept", "Nr\1\2\3\4"),
            pickle("shared", "]q\0" + "(h\0h\0h\0h\0tq\0".repeat(16)),
            zipOfMembers());
    assertEquals(files.stream().map(file -> "refused").toList(), probe(files));
  }

  @Test
  void readingEndsWhenItsTimeIsOver() throws IOException {
    StringBuilder text =
        new StringBuilder("{" + SafetensorsBytes.tensor("t0", "U8", "[0]", "[0,0]"));
    for (int i = 1; i < 2000; i++) {
      text.append(',').append(SafetensorsBytes.tensor("t" + i, "U8", "[0]", "[0,0]"));
    }
    Path file =
        SafetensorsBytes.file(directory, SafetensorsBytes.of(text.append('}').toString(), 0));
    assertEquals(2000, SafetensorsFile.open(file).tensors().size());
    HeapBudget none = new HeapBudget(96 << 20, Duration.ofNanos(1));
    FormatException error =
        assertThrows(FormatException.class, () -> SafetensorsFile.open(file, none));
    assertTrue(error.getMessage().contains("takes longer"), error.getMessage());
  }

  @Test
  void aHeaderOfManyTensorsIsRead() throws Exception {
    StringBuilder header = new StringBuilder("{");
    for (int i = 0; i < 100_000; i++) {
      String name = "model.layers." + i + ".mlp.experts.123.down_proj.weight";
      String range = "[" + 4 * i + "," + 4 * (i + 1) + "]";
      header
          .append(i == 0 ? "" : ",")
          .append(SafetensorsBytes.tensor(name, "BF16", "[1,2]", range));
    }
    Path file = directory.resolve("many.safetensors");
    Files.write(file, SafetensorsBytes.of(header.append('}').toString(), 400_000));
    assertEquals(List.of("100000 tensors"), probe(List.of(file)));
  }

  @Test
  void aWholeTokenizerInGgufMetadataIsRead() throws Exception {
    assertEquals(List.of("0 tensors"), probe(List.of(ggufText("tokenizer", 24 << 20))));
  }

  private List<String> probe(List<Path> files) throws IOException, InterruptedException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-XX:+UseSerialGC",
                "-cp",
                System.getProperty("java.class.path"),
                Probe.class.getName()));
    files.forEach(file -> command.add(file.toString()));
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
    builder.environment().put("PANATUNE_TORCH", directory.resolve("none").toString());
    builder.environment().put("PANATUNE_HOME", directory.resolve("none").toString());
    Process process = builder.start();
    List<String> lines;
    try (var output = process.inputReader()) {
      lines = output.lines().toList();
    }
    assertEquals(0, process.waitFor(), lines::toString);
    return lines;
  }

  /** Fills a header of the largest size with one entry that begins with "%d, over and over. */
  private Path safetensors(String name, String start, String entry, String end) throws IOException {
    Path file = directory.resolve(name + ".safetensors");
    try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file))) {
      write(out, "length??" + start);
      int count = HEADER_BYTES / (entry.length() + 8);
      byte[] beforeNumber = "\"".getBytes(StandardCharsets.UTF_8);
      byte[] afterNumber = entry.substring(3).getBytes(StandardCharsets.UTF_8);
      for (int i = 0; i < count; i++) {
        write(out, i == 0 ? "" : ",");
        out.write(beforeNumber);
        write(out, String.valueOf(i));
        out.write(afterNumber);
      }
      write(out, end);
    }
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      ByteBuffer length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
      channel.write(length.putLong(0, channel.size() - 8), 0);
    }
    return file;
  }

  private static void write(OutputStream out, String text) throws IOException {
    out.write(text.getBytes(StandardCharsets.UTF_8));
  }

  private Path ggufOfKeys() throws IOException {
    Path file = directory.resolve("keys.gguf");
    int count = HEADER_BYTES / 20;
    try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file))) {
      out.write(GgufBytes.start(0, count).end());
      for (int i = 0; i < count; i++) {
        String key = String.valueOf(10_000_000 + i);
        out.write(new byte[] {8, 0, 0, 0, 0, 0, 0, 0});
        write(out, key);
        out.write(new byte[] {0, 0, 0, 0, 1});
      }
    }
    return file;
  }

  /** Deflates a pickle that repeats instructions up to the largest size that is read. */
  private Path pickle(String name, String instructions) throws IOException {
    Path file = directory.resolve(name + ".pt");
    byte[] piece = instructions.getBytes(StandardCharsets.ISO_8859_1);
    try (ZipOutputStream zip =
        new ZipOutputStream(new BufferedOutputStream(Files.newOutputStream(file)))) {
      zip.setLevel(Deflater.BEST_SPEED);
      zip.putNextEntry(new ZipEntry("archive/data.pkl"));
      zip.write(new byte[] {(byte) 0x80, 2});
      for (int size = 3; size + piece.length <= 32 << 20; size += piece.length) {
        zip.write(piece);
      }
      zip.write('.');
      zip.closeEntry();
    }
    return file;
  }

  private Path zipOfMembers() throws IOException {
    Path file = directory.resolve("members.pt");
    try (ZipOutputStream zip =
        new ZipOutputStream(new BufferedOutputStream(Files.newOutputStream(file)))) {
      for (int i = 0; i < 250_000; i++) {
        zip.putNextEntry(new ZipEntry("archive/data/" + i));
        zip.closeEntry();
      }
    }
    return file;
  }

  /** Writes a text of {@code bytes} bytes that takes two bytes a character in Java. */
  private Path ggufText(String name, int bytes) throws IOException {
    Path file = directory.resolve(name + ".gguf");
    byte[] text = new byte[bytes];
    Arrays.fill(text, (byte) 'x');
    System.arraycopy("\u4e2d".getBytes(StandardCharsets.UTF_8), 0, text, 0, 3);
    return Files.write(
        file,
        GgufBytes.start(0, 1)
            .key("tokenizer.huggingface.json", GgufBytes.STRING)
            .u64(bytes)
            .raw(text)
            .end());
  }

  /** Writes a list of {@code count} empty strings or zeros. */
  private Path ggufList(String name, int kind, long count) throws IOException {
    Path file = directory.resolve(name + ".gguf");
    byte[] start = GgufBytes.start(0, 1).key("k", GgufBytes.ARRAY).u32(kind).u64(count).end();
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.wrap(start), 0);
      channel.write(ByteBuffer.allocate(1), start.length + 8 * count);
    }
    return file;
  }
}
