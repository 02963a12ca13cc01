package dev.panatune.model;

import dev.panatune.nn.Linear;
import dev.panatune.nn.LinearLayer;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.Tensor;

/**
 * Where a model's parameters come from while it is being built.
 *
 * <p>A model asks for each of its parameters once, in the order in which it will hold them. What it
 * gets belongs to no scope: the model owns it.
 */
interface ParameterSource {
  /** Returns the parameter of a name, which must have this shape. */
  Tensor parameter(String name, long... shape);

  /** Returns the linear layer at a path, with a weight [out, in] and, if asked, a bias [out]. */
  default LinearLayer linear(String path, long out, long in, boolean bias) {
    Tensor weight = parameter(path + ".weight", out, in);
    return new Linear(weight, bias ? parameter(path + ".bias", out) : null);
  }

  /** Returns the device that the parameters are on. */
  Device device();
}
