package dev.panatune.train.optim;

/** The optimizers that a run can name, under transformers' names. */
public enum OptimizerType {
  /** AdamW with decoupled weight decay. */
  ADAMW_TORCH,
  /** The same: every AdamW step here is one fused call. */
  ADAMW_TORCH_FUSED,
  /** bitsandbytes' AdamW with moments in 8 bits. */
  ADAMW_BNB_8BIT,
  /** The same. */
  ADAMW_8BIT,
  /** bitsandbytes' AdamW with moments in 32 bits, paged where there is a GPU. */
  PAGED_ADAMW_32BIT,
  /** bitsandbytes' AdamW with moments in 8 bits, paged where there is a GPU. */
  PAGED_ADAMW_8BIT;

  /** Whether the moments are to be paged between a GPU's memory and the machine's. */
  public boolean isPaged() {
    return this == PAGED_ADAMW_32BIT || this == PAGED_ADAMW_8BIT;
  }
}
