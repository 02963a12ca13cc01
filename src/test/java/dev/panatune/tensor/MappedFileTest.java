package dev.panatune.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.TensorException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@ExtendWith(NoLeaks.class)
class MappedFileTest {
  @TempDir Path directory;

  private Path floats(int count) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(4 * count).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < count; i++) {
      bytes.putFloat(i);
    }
    return Files.write(directory.resolve("weights.bin"), bytes.array());
  }

  @Test
  void tensorsLieInTheFileAndOutliveTheHandle() throws IOException {
    Path file = floats(8);
    long bytes = NativeMemory.liveBytes();
    try (TensorScope _ = TensorScope.open()) {
      Tensor tensor;
      try (MappedFile mapped = MappedFile.open(file)) {
        assertEquals(32, mapped.size());
        tensor = mapped.tensor(8, DType.FLOAT32, 2, 2);
      }
      assertEquals(bytes, NativeMemory.liveBytes(), "no native memory is taken");
      assertArrayEquals(new float[] {2, 3, 4, 5}, tensor.toFloats());
    }
  }

  @Test
  void writesStayInTheProcessAndReleaseDropsThem() throws IOException {
    Path file = floats(4096);
    byte[] before = Files.readAllBytes(file);
    try (TensorScope _ = TensorScope.open();
        MappedFile mapped = MappedFile.open(file)) {
      Tensor tensor = mapped.tensor(0, DType.FLOAT32, 4096);
      tensor.fill_(-1);
      assertArrayEquals(before, Files.readAllBytes(file));
      mapped.release(0, mapped.size());
      assertEquals(4095f, tensor.toFloats()[4095]);
    }
  }

  @Test
  void misalignedBytesAreCopied() throws IOException {
    Path file = floats(3);
    try (TensorScope _ = TensorScope.open();
        MappedFile mapped = MappedFile.open(file)) {
      long before = NativeMemory.liveBytes();
      Tensor tensor = mapped.tensor(1, DType.INT16, 3);
      assertEquals(before + 6, NativeMemory.liveBytes());
      assertEquals(0, tensor.address() % 2);
    }
  }

  @Test
  void whatIsNotInTheFileIsRefused() throws IOException {
    Path file = floats(4);
    try (MappedFile mapped = MappedFile.open(file)) {
      var error = assertThrows(TensorException.class, () -> mapped.tensor(4, DType.FLOAT32, 4));
      assertTrue(error.getMessage().contains("weights.bin"), error.getMessage());
      assertThrows(TensorException.class, () -> mapped.tensor(-4, DType.FLOAT32, 1));
      assertThrows(
          TensorException.class, () -> mapped.tensor(0, DType.FLOAT32, Long.MAX_VALUE / 2, 8));
    }
    Path missing = directory.resolve("nowhere.bin");
    var error = assertThrows(TensorException.class, () -> MappedFile.open(missing));
    assertTrue(error.getMessage().contains("nowhere.bin"), error.getMessage());
  }

  @Test
  void aClosedHandleIsRefused() throws IOException {
    MappedFile mapped = MappedFile.open(floats(1));
    mapped.close();
    mapped.close();
    assertThrows(TensorException.class, () -> mapped.tensor(0, DType.FLOAT32, 1));
  }
}
