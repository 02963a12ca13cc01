package dev.panatune.peft;

import dev.panatune.nn.Conv1D;
import dev.panatune.nn.Embedding;
import dev.panatune.nn.Linear;
import dev.panatune.nn.Module;
import dev.panatune.nn.QuantizedLinear;
import dev.panatune.quant.QuantizedTensor;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.Optional;

/**
 * The weight of a layer that can be adapted, whichever kind the layer is.
 *
 * <p>It is seen as [out, in], or [vocabulary, hidden] of an embedding; a {@link Conv1D} stores it
 * the other way round.
 */
sealed interface BaseWeight {
  /** The weight's dtype; of a quantised one, that which it was quantised from. */
  DType dtype();

  /** The bias [out], where the layer has one. */
  Optional<Tensor> bias();

  /** The weight in float32, in the innermost scope; it may be the layer's own memory. */
  Tensor exact();

  /**
   * A layer of the same kind with another weight and bias.
   *
   * @param weight float32, as {@link #exact} gives it
   * @param bias in the type that it is kept in, or null; taken over
   * @param dtype what the weight is stored as, where it is dense
   */
  Module layer(Tensor weight, Tensor bias, DType dtype);

  /** The weight of a layer that nothing is wrapped around; empty where the kind is unknown. */
  static Optional<BaseWeight> of(Module layer) {
    return switch (layer) {
      case Linear linear -> Optional.of(new Dense(linear.weight(), linear.bias()));
      case Conv1D conv -> Optional.of(new Transposed(conv.weight(), conv.bias()));
      case QuantizedLinear packed -> Optional.of(new Packed(packed));
      case Embedding table -> Optional.of(new Table(table));
      default -> Optional.empty();
    };
  }

  /** Of a {@link Linear}. */
  record Dense(Tensor weight, Optional<Tensor> bias) implements BaseWeight {
    @Override
    public DType dtype() {
      return weight.dtype();
    }

    @Override
    public Tensor exact() {
      return weight.detach().to(DType.FLOAT32);
    }

    @Override
    public Linear layer(Tensor exact, Tensor bias, DType dtype) {
      return new Linear(stored(exact, dtype), bias);
    }
  }

  /** Of a {@link Conv1D}. */
  record Transposed(Tensor weight, Optional<Tensor> bias) implements BaseWeight {
    @Override
    public DType dtype() {
      return weight.dtype();
    }

    @Override
    public Tensor exact() {
      return weight.detach().t().to(DType.FLOAT32);
    }

    @Override
    public Conv1D layer(Tensor exact, Tensor bias, DType dtype) {
      return new Conv1D(stored(exact.t().contiguous(), dtype), bias);
    }
  }

  /** Of a {@link QuantizedLinear}. */
  record Packed(QuantizedLinear packed) implements BaseWeight {
    @Override
    public DType dtype() {
      return packed.weight().dtype();
    }

    @Override
    public Optional<Tensor> bias() {
      return packed.bias();
    }

    /** As it is computed with: dequantised to the type that it was quantised from. */
    @Override
    public Tensor exact() {
      return packed.weight().dequantize(dtype()).to(DType.FLOAT32);
    }

    /** As PEFT does it: quantised from float32, with the base's settings. */
    @Override
    public QuantizedLinear layer(Tensor exact, Tensor bias, DType dtype) {
      return packed.like(QuantizedTensor.quantize(exact, packed.weight().config()), bias);
    }
  }

  /** Of an {@link Embedding}. */
  record Table(Embedding table) implements BaseWeight {
    @Override
    public DType dtype() {
      return table.weight().dtype();
    }

    @Override
    public Optional<Tensor> bias() {
      return Optional.empty();
    }

    @Override
    public Tensor exact() {
      return table.weight().detach().to(DType.FLOAT32);
    }

    @Override
    public Embedding layer(Tensor exact, Tensor bias, DType dtype) {
      return new Embedding(stored(exact, dtype), table.scale());
    }
  }

  private static Tensor stored(Tensor exact, DType dtype) {
    try (TensorScope _ = TensorScope.open()) {
      Tensor cast = exact.to(dtype);
      // A tensor that has the type already is the caller's own memory.
      return (cast.address() == exact.address() ? cast.clone() : cast).keep();
    }
  }
}
