package dev.panatune.model;

import dev.panatune.nn.Conv1D;
import dev.panatune.nn.LayerNorm;
import dev.panatune.nn.Linear;
import dev.panatune.nn.LinearLayer;
import dev.panatune.nn.RmsNorm;
import dev.panatune.nn.UnaryLayer;
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

  /** Returns the Conv1D at a path, with a weight [in, out] and, if asked, a bias [out]. */
  default LinearLayer conv1d(String path, long out, long in, boolean bias) {
    Tensor weight = parameter(path + ".weight", in, out);
    return new Conv1D(weight, bias ? parameter(path + ".bias", out) : null);
  }

  /** Returns the norm at a path, over a last dimension of a width. */
  default UnaryLayer norm(String path, long width, NormConfig config) {
    Tensor weight = parameter(path + ".weight", width);
    return switch (config.kind()) {
      case RMS -> new RmsNorm(weight, config.epsilon());
      case RMS_ONE_PLUS -> new RmsNorm(weight, config.epsilon(), true);
      case LAYER -> new LayerNorm(weight, parameter(path + ".bias", width), config.epsilon());
    };
  }

  /** Returns the device that the parameters are on. */
  Device device();
}
