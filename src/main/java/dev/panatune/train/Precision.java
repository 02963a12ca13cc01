package dev.panatune.train;

import dev.panatune.tensor.DType;
import java.util.Optional;

/** The type that a run computes in; what it trains is kept in float32 in any case. */
public enum Precision {
  /** float32 throughout. */
  FP32(null),
  /** bfloat16, with float32 where a sum or a norm needs it. */
  BF16(DType.BFLOAT16),
  /** float16 with a gradient scaler. */
  FP16(DType.FLOAT16);

  private final DType autocast;

  Precision(DType autocast) {
    this.autocast = autocast;
  }

  /** What autocast is to compute in; empty for no autocast. */
  public Optional<DType> autocast() {
    return Optional.ofNullable(autocast);
  }
}
