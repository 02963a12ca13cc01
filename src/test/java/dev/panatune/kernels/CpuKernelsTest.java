package dev.panatune.kernels;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.TensorException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CpuKernelsTest {
  @ParameterizedTest
  @CsvSource({
    "isa=sse9, 'auto, plain, avx2, avx512'",
    "gemm=fast, 'auto, native, fp32'",
    "kernels=, 'auto, fused, composite'",
    "threads=2, 'isa=..., gemm=... or kernels=...'",
    "isa, 'isa=..., gemm=... or kernels=...'"
  })
  void anUnknownOverrideIsRefusedWithTheKnown(String override, String known) {
    TensorException refused = assertThrows(TensorException.class, () -> CpuPath.use(override));
    assertTrue(refused.getMessage().contains(known), refused.getMessage());
  }
}
