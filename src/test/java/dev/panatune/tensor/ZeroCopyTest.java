package dev.panatune.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.TensorException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(NoLeaks.class)
class ZeroCopyTest {
  @Test
  void aTensorOverASegmentHasItsAddressAndSeesItsWrites() {
    MemorySegment memory = Arena.ofAuto().allocate(ValueLayout.JAVA_FLOAT, 6);
    long bytes = NativeMemory.liveBytes();
    try (TensorScope _ = TensorScope.open()) {
      Tensor tensor = Tensor.of(memory, DType.FLOAT32, 2, 3);
      assertEquals(memory.address(), tensor.address());
      assertEquals(bytes, NativeMemory.liveBytes(), "no native memory is taken");
      memory.setAtIndex(ValueLayout.JAVA_FLOAT, 4, 7f);
      assertArrayEquals(new float[] {0, 0, 0, 0, 7, 0}, tensor.toFloats());
      tensor.fill_(3);
      assertEquals(3f, memory.getAtIndex(ValueLayout.JAVA_FLOAT, 5));
    }
  }

  @Test
  void aSegmentOfATensorHasItsAddressAndEndsWithTheScope() {
    MemorySegment segment;
    try (TensorScope _ = TensorScope.open()) {
      Tensor tensor = Tensor.zeros(DType.FLOAT32, 4);
      segment = tensor.segment();
      assertEquals(tensor.address(), segment.address());
      assertEquals(16, segment.byteSize());
      segment.setAtIndex(ValueLayout.JAVA_FLOAT, 2, 5f);
      assertArrayEquals(new float[] {0, 0, 5, 0}, tensor.toFloats());
      tensor.close();
      assertEquals(5f, segment.getAtIndex(ValueLayout.JAVA_FLOAT, 2), "the memory is still held");
    }
    assertFalse(segment.scope().isAlive());
    assertThrows(IllegalStateException.class, () -> segment.get(ValueLayout.JAVA_FLOAT, 0));
  }

  @Test
  void aSegmentOfAKeptTensorEndsWithTheTensor() {
    Tensor tensor = Tensor.zeros(DType.FLOAT32, 4);
    MemorySegment segment = tensor.segment();
    segment.setAtIndex(ValueLayout.JAVA_FLOAT, 0, 1f);
    tensor.close();
    assertThrows(IllegalStateException.class, () -> segment.get(ValueLayout.JAVA_FLOAT, 0));
  }

  @Test
  void onlyContiguousMemoryIsShown() {
    try (TensorScope _ = TensorScope.open()) {
      Tensor turned = Tensor.zeros(DType.FLOAT32, 2, 3).t();
      assertThrows(TensorException.class, turned::segment);
      assertEquals(24, turned.contiguous().segment().byteSize());
    }
  }

  @Test
  void memoryThatCouldVanishIsRefused() {
    try (Arena confined = Arena.ofConfined();
        Arena shared = Arena.ofShared()) {
      for (Arena arena : new Arena[] {confined, shared}) {
        MemorySegment memory = arena.allocate(16);
        var error = assertThrows(TensorException.class, () -> Tensor.of(memory, DType.FLOAT32, 4));
        assertTrue(error.getMessage().contains("copyOf"), error.getMessage());
      }
    }
    MemorySegment heap = MemorySegment.ofArray(new float[4]);
    assertThrows(TensorException.class, () -> Tensor.of(heap, DType.FLOAT32, 4));
    MemorySegment readOnly = Arena.ofAuto().allocate(16).asReadOnly();
    assertThrows(TensorException.class, () -> Tensor.of(readOnly, DType.FLOAT32, 4));
  }

  @Test
  void shapeAndAlignmentAreChecked() {
    MemorySegment memory = Arena.ofAuto().allocate(20, 8);
    assertThrows(TensorException.class, () -> Tensor.of(memory, DType.FLOAT32, 4));
    assertThrows(TensorException.class, () -> Tensor.of(memory, DType.FLOAT32, -5, -1));
    assertThrows(TensorException.class, () -> Tensor.of(memory, DType.FLOAT32, Long.MAX_VALUE, 2));
    MemorySegment odd = memory.asSlice(1, 16);
    assertThrows(TensorException.class, () -> Tensor.of(odd, DType.FLOAT32, 4));
  }

  @Test
  void viewsKeepMemoryOfAnAutomaticArenaAlive() {
    try (TensorScope _ = TensorScope.open()) {
      MemorySegment memory = Arena.ofAuto().allocate(4 << 20, 8);
      memory.fill((byte) 1);
      Tensor whole = Tensor.of(memory, DType.UINT8, 4 << 20);
      Tensor view = whole.narrow(0, 1 << 20, 16);
      whole.close();
      memory = null;
      System.gc();
      byte[] expected = new byte[16];
      java.util.Arrays.fill(expected, (byte) 1);
      assertArrayEquals(expected, view.toBytes());
    }
  }

  @Test
  void aBufferRefusesToCloseUnderAView() {
    NativeBuffer buffer = NativeBuffer.allocate(64);
    Tensor view;
    try (TensorScope _ = TensorScope.open()) {
      Tensor tensor = buffer.tensor(DType.FLOAT32, 4, 4);
      assertEquals(buffer.segment().address(), tensor.address());
      view = tensor.narrow(0, 1, 2).keep();
    }
    var error = assertThrows(TensorException.class, buffer::close);
    assertTrue(error.getMessage().contains("1 tensors"), error.getMessage());
    view.close();
    buffer.close();
    buffer.close();
    assertThrows(TensorException.class, () -> buffer.tensor(DType.FLOAT32, 1));
  }

  @Test
  void copiesAreCopies() {
    float[] values = {1, 2, 3};
    try (TensorScope _ = TensorScope.open()) {
      Tensor tensor = Tensor.ofFloats(values, 3);
      values[0] = 9;
      assertArrayEquals(new float[] {1, 2, 3}, tensor.toFloats());
      assertArrayEquals(new long[] {4, 5}, Tensor.ofLongs(new long[] {4, 5}, 2).toLongs());
      assertThrows(TensorException.class, () -> Tensor.ofFloats(values, 4));
    }
  }
}
