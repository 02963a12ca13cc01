package dev.panatune.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.FormatException;
import dev.panatune.natives.NativeLibraries;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class GgufWriterTest {
  @TempDir Path directory;

  @BeforeAll
  static void loadTheNatives() {
    NativeLibraries.load();
  }

  @Test
  void whatIsWrittenIsRead() {
    Map<String, Object> metadata = new LinkedHashMap<>();
    metadata.put("text", "Grüße, 中 😀");
    metadata.put("flag", true);
    metadata.put("number", 7);
    metadata.put("fraction", 0.5f);
    metadata.put("texts", List.of("a", ""));
    metadata.put("none", List.of());
    metadata.put("numbers", List.of(-1, 2));
    metadata.put("fractions", List.of(-0.5f, 2f));
    List<GgufTensorSpec> tensors =
        List.of(
            new GgufTensorSpec("a", GgmlType.F32, 3), new GgufTensorSpec("b", GgmlType.F16, 2, 5));
    Path path = directory.resolve("new").resolve("model.gguf");
    try (GgufWriter writer = GgufWriter.create(path, metadata, tensors)) {
      writer.append("a", MemorySegment.ofArray(new float[] {1, 2, 3}));
      writer.append("b", MemorySegment.ofArray(new short[10]));
      assertFalse(Files.exists(path));
      writer.commit();
    }
    GgufFile file = GgufFile.open(path);
    assertEquals(3, file.version());
    assertEquals(metadata.keySet().toString(), file.metadata().keySet().toString());
    assertEquals("Grüße, 中 😀", file.metadata().get("text"));
    assertEquals(7L, file.metadata().get("number"));
    assertEquals(List.of(), file.metadata().get("none"));
    assertEquals(List.of(-1L, 2L), file.metadata().get("numbers"));
    assertEquals(List.of(-0.5, 2.0), file.metadata().get("fractions"));
    assertArrayEquals(new long[] {2, 5}, file.tensor("b").shape());
    assertEquals(0, file.tensor("b").offset() % 32);
    try (Arena arena = Arena.ofConfined()) {
      assertArrayEquals(
          new float[] {1, 2, 3}, file.map("a", arena).toArray(ValueLayout.JAVA_FLOAT_UNALIGNED));
    }
  }

  @Test
  void mistakesAreRefusedAndLeaveNothing() throws Exception {
    Path path = directory.resolve("model.gguf");
    List<GgufTensorSpec> one = List.of(new GgufTensorSpec("a", GgmlType.F32, 3));
    try (GgufWriter writer = GgufWriter.create(path, Map.of(), one)) {
      assertThrows(IllegalStateException.class, writer::commit);
    }
    try (GgufWriter writer = GgufWriter.create(path, Map.of(), one)) {
      MemorySegment short1 = MemorySegment.ofArray(new float[2]);
      assertThrows(IllegalArgumentException.class, () -> writer.append("a", short1));
    }
    List<GgufTensorSpec> partial = List.of(new GgufTensorSpec("a", GgmlType.Q8_0, 33));
    List<GgufTensorSpec> twice = List.of(one.getFirst(), one.getFirst());
    for (List<GgufTensorSpec> tensors : List.of(partial, twice)) {
      assertThrows(
          IllegalArgumentException.class, () -> GgufWriter.create(path, Map.of(), tensors));
    }
    for (Object value : List.of(1L, List.of(1, "a"), 'c')) {
      assertThrows(
          IllegalArgumentException.class, () -> GgufWriter.create(path, Map.of("k", value), one));
    }
    try (var files = Files.list(directory)) {
      assertEquals(0, files.count());
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = GgmlType.class,
      names = {"F16", "BF16", "Q8_0"})
  void encodesAsTheGgufPackage(GgmlType type) {
    try (TensorScope _ = TensorScope.open()) {
      Map<String, Tensor> fixture = TensorFile.read(Fixtures.path("encoded.safetensors"));
      Tensor encoded = GgufEncoding.encode(fixture.get("weights"), type);
      assertArrayEquals(fixture.get(type.name()).toBytes(), encoded.toBytes());
    }
  }

  @Test
  void otherTypesAreNotWritten() {
    try (TensorScope _ = TensorScope.open()) {
      Tensor weights = TensorFile.read(Fixtures.path("encoded.safetensors")).get("weights");
      FormatException error =
          assertThrows(FormatException.class, () -> GgufEncoding.encode(weights, GgmlType.Q4_K));
      assertTrue(error.getMessage().contains("Q4_K is not written"), error.getMessage());
    }
  }
}
