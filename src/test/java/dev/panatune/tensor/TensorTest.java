package dev.panatune.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.TensorException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@ExtendWith(NoLeaks.class)
class TensorTest {
  @ParameterizedTest
  @EnumSource(DType.class)
  void everyTypeIsReadBackAsItself(DType dtype) {
    try (TensorScope _ = TensorScope.open()) {
      Tensor tensor = Tensor.ones(dtype, 2, 3);
      assertEquals(dtype, tensor.dtype());
      assertEquals(6L * dtype.byteSize(), tensor.byteSize());
      assertEquals(1.0, tensor.select(0, 1).select(0, 2).item());
      assertEquals(dtype, DType.parse(dtype.torchName()));
      assertEquals(dtype, DType.parse("torch." + dtype.torchName()));
    }
  }

  @Test
  void metadataIsThatOfTheView() {
    try (TensorScope _ = TensorScope.open()) {
      Tensor base = Tensor.arange(0, 24, DType.INT64).view(2, 3, 4);
      Tensor view = base.transpose(1, 2).narrow(1, 1, 2);
      assertArrayEquals(new long[] {2, 2, 3}, view.shape());
      assertArrayEquals(new long[] {12, 1, 4}, view.strides());
      assertEquals(12, view.numel());
      assertEquals(3, view.rank());
      assertEquals(3, view.size(-1));
      assertFalse(view.isContiguous());
      assertEquals(base.address() + 8, view.address());
      assertEquals(Device.CPU, view.device());
      assertArrayEquals(new long[] {1, 5, 9, 2, 6, 10, 13, 17, 21, 14, 18, 22}, view.toLongs());
      assertThrows(TensorException.class, () -> view.size(3));
      assertThrows(TensorException.class, () -> view.size(-4));
    }
  }

  @Test
  void unknownTypesAndDevicesAreRefused() {
    assertTrue(
        assertThrows(ConfigurationException.class, () -> DType.parse("float12"))
            .getMessage()
            .contains("bfloat16"));
    assertThrows(ConfigurationException.class, () -> Device.parse("gpu"));
    assertEquals(Device.cuda(1), Device.parse("cuda:1"));
  }

  @Test
  void itemWantsOneElement() {
    try (TensorScope _ = TensorScope.open()) {
      assertThrows(TensorException.class, () -> Tensor.zeros(DType.FLOAT32, 2).item());
      assertEquals(2.5, Tensor.scalar(2.5, DType.BFLOAT16).item());
      assertEquals(1L << 40, Tensor.full(1L << 40, DType.INT64).itemLong());
    }
  }

  @Test
  void tooMuchMemoryIsAnErrorNotACrash() {
    var error =
        assertThrows(TensorException.class, () -> Tensor.empty(DType.FLOAT64, 1L << 20, 1L << 28));
    assertTrue(error.getMessage().contains("out of memory"), error.getMessage());
  }

  @Test
  void gradientsAccumulateUntilTheyAreRemoved() {
    try (TensorScope _ = TensorScope.open()) {
      Tensor w = Tensor.ofFloats(new float[] {1, 2}, 2).requiresGrad(true);
      assertEquals(null, w.grad());
      Autograd.backward(w.pow(2).sum());
      assertArrayEquals(new float[] {2, 4}, w.grad().toFloats());
      Autograd.backward(w.mul(3), Tensor.ofFloats(new float[] {1, 10}, 2));
      assertArrayEquals(new float[] {5, 34}, w.grad().toFloats());
      w.setGrad(null);
      assertEquals(null, w.grad());
      assertTrue(w.isLeaf());
      assertFalse(w.mul(2).isLeaf());
      assertFalse(w.mul(2).detach().requiresGrad());
      assertThrows(TensorException.class, () -> Tensor.zeros(DType.INT64, 2).requiresGrad(true));
    }
  }

  @Test
  void gradModeIsRestored() {
    try (TensorScope _ = TensorScope.open()) {
      Tensor w = Tensor.ones(DType.FLOAT32, 2).requiresGrad(true);
      try (GradMode _ = GradMode.disable()) {
        assertFalse(w.mul(2).requiresGrad());
        try (GradMode _ = GradMode.enable()) {
          assertTrue(w.mul(2).requiresGrad());
        }
        assertFalse(GradMode.isEnabled());
      }
      assertTrue(GradMode.isEnabled());
    }
  }

  @Test
  void autocastComputesInTheTypeAndIsRestored() {
    try (TensorScope _ = TensorScope.open()) {
      Tensor a = Tensor.ones(DType.FLOAT32, 2, 2);
      try (Autocast _ = Autocast.enable(Device.Kind.CPU, DType.BFLOAT16)) {
        assertEquals(DType.BFLOAT16, a.mm(a).dtype());
        assertEquals(DType.FLOAT32, a.add(a).dtype());
        try (Autocast _ = Autocast.disable(Device.Kind.CPU)) {
          assertEquals(DType.FLOAT32, a.mm(a).dtype());
        }
        assertEquals(DType.BFLOAT16, a.mm(a).dtype());
      }
      assertEquals(DType.FLOAT32, a.mm(a).dtype());
    }
  }

  @Test
  void aRestoredGeneratorGoesOnTheSameWay() {
    try (TensorScope _ = TensorScope.open()) {
      Rng.seed(7);
      Tensor.randn(DType.FLOAT32, 3);
      byte[] state = Rng.state();
      float[] first = Tensor.rand(DType.FLOAT32, 40).dropout(0.5).toFloats();
      Rng.restore(state);
      assertArrayEquals(first, Tensor.rand(DType.FLOAT32, 40).dropout(0.5).toFloats());
      Rng.seed(8);
      assertFalse(java.util.Arrays.equals(first, Tensor.rand(DType.FLOAT32, 40).toFloats()));
    }
  }

  @Test
  void peakBytesAreThoseOfTheLargestMoment() {
    NativeMemory.resetPeak();
    long start = NativeMemory.liveBytes();
    try (TensorScope _ = TensorScope.open()) {
      Tensor big = Tensor.empty(DType.FLOAT32, 1 << 20);
      big.close();
      Tensor.empty(DType.FLOAT32, 1 << 18);
    }
    assertEquals(start + (4 << 20), NativeMemory.peakBytes());
    assertEquals(start, NativeMemory.liveBytes());
  }

  @Test
  void freedLargeBlocksAreUsedAgain() {
    NativeMemory.trim();
    long address;
    try (Tensor first = Tensor.empty(DType.UINT8, 5_000_000)) {
      address = first.address();
    }
    assertTrue(NativeMemory.cachedBytes() >= 5_000_000);
    try (Tensor second = Tensor.empty(DType.UINT8, 4_999_000)) {
      assertEquals(address, second.address());
      assertEquals(0, NativeMemory.cachedBytes());
    }
    NativeMemory.trim();
    assertEquals(0, NativeMemory.cachedBytes());
  }

  @Test
  void allThreadsAreAtWork() {
    assertEquals(Threads.intraOp(), Threads.observed());
    assertThrows(TensorException.class, () -> Threads.setIntraOp(0));
    assertTrue(Threads.describe().contains("CPU capability"));
  }
}
