package dev.panatune.quant;

import dev.panatune.tensor.Op;

/** Makes the kernels take another path on this CPU, until it is closed. */
final class CpuKernels implements AutoCloseable {
  private static final Op SET = Op.find("panatune::set_cpu_kernels", "");

  private CpuKernels() {}

  static CpuKernels choose(String overrides) {
    SET.run(overrides);
    return new CpuKernels();
  }

  @Override
  public void close() {
    SET.run("");
  }
}
