package dev.panatune.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.PanatuneException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsWriterTest {
  private static final Map<String, String> PYTORCH = Map.of("format", "pt");

  @TempDir Path directory;
  private Path target;

  @BeforeEach
  void nameTheTarget() {
    target = directory.resolve("model.safetensors");
  }

  @Test
  void writesPythonsFileByteForByte() throws IOException {
    Path golden = Fixtures.path("all_types.safetensors");
    SafetensorsFile source = SafetensorsFile.open(golden);
    List<TensorSpec> specs = new ArrayList<>();
    source
        .tensors()
        .forEach((name, info) ->
            specs.add(new TensorSpec(name, SafetensorsDtype.valueOf(info.dtype()), info.shape())));
    Collections.reverse(specs);
    try (Arena arena = Arena.ofConfined();
        SafetensorsWriter writer = SafetensorsWriter.create(target, specs, PYTORCH)) {
      for (TensorSpec spec : specs) {
        writer.append(spec.name(), source.map(spec.name(), arena));
      }
      writer.commit();
    }
    assertArrayEquals(Files.readAllBytes(golden), Files.readAllBytes(target));
    assertEquals(List.of("model.safetensors"), Directories.names(directory));
  }

  @Test
  void writesHeapAndNativeMemory() {
    TensorSpec heap = new TensorSpec("heap", SafetensorsDtype.F32, 2);
    TensorSpec offHeap = new TensorSpec("offHeap", SafetensorsDtype.I64);
    try (Arena arena = Arena.ofConfined();
        SafetensorsWriter writer =
            SafetensorsWriter.create(target, List.of(heap, offHeap), Map.of())) {
      writer.append("heap", MemorySegment.ofArray(new float[] {1.5f, -2}));
      writer.append("offHeap", arena.allocateFrom(ValueLayout.JAVA_LONG, 7L));
      writer.commit();
      SafetensorsFile file = SafetensorsFile.open(target);
      assertArrayEquals(
          new float[] {1.5f, -2},
          file.map("heap", arena).toArray(ValueLayout.JAVA_FLOAT_UNALIGNED));
      assertEquals(7, file.map("offHeap", arena).get(ValueLayout.JAVA_LONG_UNALIGNED, 0));
      assertEquals(Map.of(), file.metadata());
    }
  }

  @Test
  void withoutACommitNothingStays() throws IOException {
    Files.writeString(target, "the old file");
    TensorSpec spec = new TensorSpec("a", SafetensorsDtype.U8, 3);
    try (SafetensorsWriter writer = SafetensorsWriter.create(target, List.of(spec), PYTORCH)) {
      writer.append("a", MemorySegment.ofArray(new byte[3]));
    }
    assertEquals("the old file", Files.readString(target));
    assertEquals(List.of("model.safetensors"), Directories.names(directory));
  }

  @Test
  void aMissingTensorIsNamed() throws IOException {
    List<TensorSpec> specs =
        List.of(
            new TensorSpec("a", SafetensorsDtype.U8, 3),
            new TensorSpec("layer.weight", SafetensorsDtype.BF16, 2, 5));
    try (SafetensorsWriter writer = SafetensorsWriter.create(target, specs, PYTORCH)) {
      writer.append("a", MemorySegment.ofArray(new byte[3]));
      IllegalStateException error = assertThrows(IllegalStateException.class, writer::commit);
      assertTrue(error.getMessage().contains("layer.weight: BF16[2, 5]"), error.getMessage());
    }
    assertEquals(List.of(), Directories.names(directory));
  }

  @Test
  void refusesWhatWasNotDeclared() {
    TensorSpec spec = new TensorSpec("a", SafetensorsDtype.F32, 2);
    MemorySegment data = MemorySegment.ofArray(new float[2]);
    try (SafetensorsWriter writer = SafetensorsWriter.create(target, List.of(spec), PYTORCH)) {
      assertThrows(IllegalArgumentException.class, () -> writer.append("b", data));
      assertThrows(
          IllegalArgumentException.class,
          () -> writer.append("a", MemorySegment.ofArray(new float[3])));
      writer.append("a", data);
      assertThrows(IllegalArgumentException.class, () -> writer.append("a", data));
    }
  }

  @Test
  void refusesDeclarationsThatNoReaderAccepts() {
    assertRefused(new TensorSpec("__metadata__", SafetensorsDtype.U8, 1));
    assertRefused(new TensorSpec("\ud800", SafetensorsDtype.U8, 1));
    assertRefused(new TensorSpec("a", SafetensorsDtype.U8, -1));
    assertRefused(new TensorSpec("a", SafetensorsDtype.F4, 3));
    assertRefused(new TensorSpec("a", SafetensorsDtype.F64, 1L << 40, 1L << 40));
    TensorSpec twice = new TensorSpec("a", SafetensorsDtype.U8, 1);
    assertRefused(twice, twice);
  }

  private void assertRefused(TensorSpec... specs) {
    assertThrows(
        IllegalArgumentException.class,
        () -> SafetensorsWriter.create(target, List.of(specs), PYTORCH));
    assertTrue(Files.notExists(target));
  }

  @Test
  void aFullDiskInTheHeaderLeavesNothing() throws IOException {
    TensorSpec spec = new TensorSpec("a", SafetensorsDtype.U8, 3);
    PanatuneException error =
        assertThrows(
            PanatuneException.class,
            () ->
                SafetensorsWriter.create(target, List.of(spec), PYTORCH, FullDisk.withRoomFor(20)));
    assertTrue(error.getMessage().contains("the disk is full"), error.getMessage());
    assertEquals(List.of(), Directories.names(directory));
  }

  @Test
  void aFullDiskInTheDataLeavesTheOldFile() throws IOException {
    Files.writeString(target, "the old file");
    TensorSpec spec = new TensorSpec("a", SafetensorsDtype.U8, 100_000);
    PanatuneException error =
        assertThrows(
            PanatuneException.class,
            () -> {
              try (SafetensorsWriter writer =
                  SafetensorsWriter.create(
                      target, List.of(spec), PYTORCH, FullDisk.withRoomFor(50_000))) {
                writer.append("a", MemorySegment.ofArray(new byte[100_000]));
                writer.commit();
              }
            });
    assertTrue(error.getMessage().contains("model.safetensors"), error.getMessage());
    assertTrue(error.getMessage().contains("the disk is full"), error.getMessage());
    assertEquals("the old file", Files.readString(target));
    assertEquals(List.of("model.safetensors"), Directories.names(directory));
  }
}
