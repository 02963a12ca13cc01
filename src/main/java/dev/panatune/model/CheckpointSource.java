package dev.panatune.model;

import dev.panatune.nn.Linear;
import dev.panatune.nn.LinearLayer;
import dev.panatune.nn.QuantizedLinear;
import dev.panatune.quant.QuantConfig;
import dev.panatune.quant.QuantizedTensor;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The parameters of a checkpoint, converted and quantised one at a time: beside what the model
 * keeps, there is never more than one weight of full size.
 */
final class CheckpointSource implements ParameterSource {
  private final Checkpoint checkpoint;
  private final DType dtype;
  private final Device device;
  private final DType computeDtype;
  private final Optional<QuantConfig> quantization;
  private final List<Runnable> undo = new ArrayList<>();

  /**
   * Creates it over a checkpoint that has been checked.
   *
   * @param dtype of the parameters that are not kept in 4 bits
   * @param computeDtype in which products with weights are computed that are stored in 4 bits
   * @param quantization how the linear layers of a checkpoint in full are quantised, if at all
   */
  CheckpointSource(
      Checkpoint checkpoint,
      DType dtype,
      Device device,
      DType computeDtype,
      Optional<QuantConfig> quantization) {
    this.checkpoint = checkpoint;
    this.dtype = dtype;
    this.device = device;
    this.computeDtype = computeDtype;
    this.quantization = quantization;
  }

  @Override
  public Tensor parameter(String name, long... shape) {
    try (TensorScope _ = TensorScope.open()) {
      Tensor value = checkpoint.read(name, dtype).to(device).keep();
      undo.add(value::close);
      return value;
    }
  }

  @Override
  public LinearLayer linear(String path, long out, long in, boolean bias) {
    String weight = path + ".weight";
    if (checkpoint.isQuantized(weight)) {
      QuantizedTensor stored = checkpoint.readQuantized(weight, computeDtype, device);
      return quantizedLinear(stored, path, out, bias);
    }
    if (quantization.isPresent() && quantization.get().quantizes(path)) {
      return quantizedLinear(quantize(weight, quantization.get()), path, out, bias);
    }
    return new Linear(parameter(weight, out, in), bias ? parameter(path + ".bias", out) : null);
  }

  @Override
  public LinearLayer conv1d(String path, long out, long in, boolean bias) {
    String weight = path + ".weight";
    if (checkpoint.isQuantized(weight)) {
      return quantizedConv1d(
          checkpoint.readQuantized(weight, computeDtype, device), path, out, bias);
    }
    if (quantization.isPresent() && quantization.get().quantizes(path)) {
      return quantizedConv1d(quantizeTransposed(weight, quantization.get()), path, out, bias);
    }
    return ParameterSource.super.conv1d(path, out, in, bias);
  }

  private LinearLayer quantizedConv1d(QuantizedTensor weight, String path, long out, boolean bias) {
    undo.add(weight::close);
    return QuantizedLinear.ofConv1D(weight, bias ? parameter(path + ".bias", out) : null);
  }

  /** bitsandbytes has no Conv1D: its weight is kept as that of a linear layer. */
  private QuantizedTensor quantizeTransposed(String name, QuantConfig config) {
    try (TensorScope _ = TensorScope.open()) {
      return QuantizedTensor.quantize(
          checkpoint.read(name, dtype).to(device).t().contiguous(), config);
    } finally {
      checkpoint.release(name);
    }
  }

  private LinearLayer quantizedLinear(QuantizedTensor weight, String path, long out, boolean bias) {
    undo.add(weight::close);
    return new QuantizedLinear(weight, bias ? parameter(path + ".bias", out) : null);
  }

  private QuantizedTensor quantize(String name, QuantConfig config) {
    try (TensorScope _ = TensorScope.open()) {
      return QuantizedTensor.quantize(checkpoint.read(name, dtype).to(device), config);
    } finally {
      checkpoint.release(name);
    }
  }

  /** Frees everything that was given out, when the model will not be. */
  void abandon() {
    undo.forEach(Runnable::run);
  }

  @Override
  public Device device() {
    return device;
  }
}
