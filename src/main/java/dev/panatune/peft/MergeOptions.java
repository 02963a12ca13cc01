package dev.panatune.peft;

import dev.panatune.tensor.DType;

/**
 * How an adapter is merged.
 *
 * @param dtype of the dense weights that result; null for that of each layer (for a 4-bit one, the
 *     dtype that it was quantised from)
 * @param requantize whether 4-bit layers are quantised again after the merge, as PEFT does; else
 *     they become dense
 * @param safeMerge whether it is checked first that every merged weight is finite
 */
public record MergeOptions(DType dtype, boolean requantize, boolean safeMerge) {
  /** Dense weights in the layers' own types. */
  public static final MergeOptions DENSE = new MergeOptions(null, false, false);

  /** 4-bit layers stay 4-bit. */
  public static final MergeOptions REQUANTIZE = new MergeOptions(null, true, false);

  /** Without the check. */
  public MergeOptions(DType dtype, boolean requantize) {
    this(dtype, requantize, false);
  }

  /** What a dense weight of a type is stored as. */
  DType target(DType own) {
    return dtype == null ? own : dtype;
  }

  /** The same with the check. */
  public MergeOptions safe() {
    return new MergeOptions(dtype, requantize, true);
  }
}
