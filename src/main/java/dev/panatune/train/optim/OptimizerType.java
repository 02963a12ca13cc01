package dev.panatune.train.optim;

/** The optimizers that a run can name; both are the same fused AdamW, under transformers' names. */
public enum OptimizerType {
  /** AdamW with decoupled weight decay. */
  ADAMW_TORCH,
  /** The same: every AdamW step here is one fused call. */
  ADAMW_TORCH_FUSED
}
