package dev.panatune.nn;

import dev.panatune.tensor.Tensor;

/**
 * Zeroes elements at random while a model is trained, and divides the others by the probability of
 * staying (Srivastava et al., 2014, Journal of Machine Learning Research 15). The mask is drawn
 * from the default generator, by the same operator as in PyTorch; autograd keeps it.
 */
public final class Dropout {
  private final double probability;
  private boolean training;

  /** Creates one that does nothing until it is set to training. */
  public Dropout(double probability) {
    this.probability = probability;
  }

  /** Sets whether the model is trained, or used. */
  public void setTraining(boolean training) {
    this.training = training;
  }

  /** Returns whether anything may be zeroed now. */
  public boolean isActive() {
    return training && probability > 0;
  }

  /** Returns the input, with its shape and dtype, after the dropout. */
  public Tensor apply(Tensor input) {
    return isActive() ? input.dropout(probability) : input;
  }
}
