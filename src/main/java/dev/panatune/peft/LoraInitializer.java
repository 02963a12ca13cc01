package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.nn.Module;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.Optional;

/** Makes the factors that a linear layer's adapter starts with, with the default generator. */
final class LoraInitializer {
  private static final Op UNIFORM = Op.find("aten::uniform_", "");
  private static final Op NORMAL = Op.find("aten::normal_", "");
  private static final Op QR = Op.find("aten::linalg_qr", "");
  private static final Op SVD = Op.find("aten::linalg_svd", "");
  private static final double ORTHOGONAL_SCALE = 0.1;
  private static final int FIRST_SLICE = 0;

  /**
   * What an adapter starts with.
   *
   * @param factors A and B
   * @param residual the base weight without them, float32 [out, in] in the innermost scope; empty
   *     where it stays as it is
   */
  record Start(LowRank factors, Optional<Tensor> residual) {}

  private LoraInitializer() {}

  /**
   * Makes the factors for a layer.
   *
   * @param base the layer that nothing is wrapped around
   * @param path its path, for messages
   * @throws ConfigurationException if the layer's weight does not allow it
   */
  static Start start(LoraInit init, Module base, long in, long out, LoraScale scale, String path) {
    try (GradMode _ = GradMode.disable()) {
      return switch (init) {
        case LoraInit.Kind kind ->
            switch (kind) {
              case KAIMING -> kept(uniform(scale.r(), in), zeros(out, scale.r()));
              case RANDOM -> kept(uniform(scale.r(), in), uniform(out, scale.r()));
              case GAUSSIAN -> kept(gaussian(scale.r(), in), zeros(out, scale.r()));
              case ORTHOGONAL -> orthogonal(scale.r(), in, out);
              case PISSA -> pissa(exactSvd(dense(init, base, path)), init, base, scale, path);
              case OLORA -> olora(weight(init, base, path), scale);
            };
        case LoraInit.PissaIterations few ->
            pissa(
                LowRankSvd.of(dense(init, base, path), scale.r(), few.iterations()),
                init,
                base,
                scale,
                path);
      };
    }
  }

  /** B's own bias, as a fresh linear layer has it, or zero. */
  static Tensor bias(LoraInit init, long out, int r) {
    try (TensorScope _ = TensorScope.open()) {
      Tensor bias = Tensor.zeros(DType.FLOAT32, out);
      if (init == LoraInit.Kind.RANDOM) {
        double bound = 1 / Math.sqrt(r);
        UNIFORM.run(bias, -bound, bound);
      }
      return bias.keep();
    }
  }

  private static Start orthogonal(int r, long in, long out) {
    if (r % 2 != 0) {
      throw new ConfigurationException(
          "init_lora_weights: orthogonal needs an even rank, not " + r);
    }
    Tensor q = QR.callAll(Tensor.randn(DType.FLOAT32, r, r), "reduced")[0];
    Tensor[] halves = q.reshape(r / 2, 2, r).split(1, 1);
    Tensor odd = halves[0].squeeze(1);
    Tensor even = halves[1].squeeze(1);
    Tensor a = Tensor.randn(DType.FLOAT32, in, r / 2).mm(odd).t().mul(ORTHOGONAL_SCALE);
    Tensor b = Tensor.randn(DType.FLOAT32, r / 2, out).t().mm(even).mul(ORTHOGONAL_SCALE);
    return kept(a, b);
  }

  private static Start pissa(
      LowRankSvd svd, LoraInit init, Module base, LoraScale scale, String path) {
    int r = scale.r();
    Tensor roots = svd.values().narrow(0, FIRST_SLICE, r).div(scale.scaling()).sqrt();
    Tensor a = svd.right().narrow(0, FIRST_SLICE, r).mul(roots.unsqueeze(1));
    Tensor b = svd.left().narrow(1, FIRST_SLICE, r).mul(roots);
    return taken(weight(init, base, path), a, b, scale);
  }

  private static Start olora(Tensor weight, LoraScale scale) {
    Tensor[] qr = QR.callAll(weight, "reduced");
    Tensor a = qr[1].narrow(0, FIRST_SLICE, scale.r());
    Tensor b = qr[0].narrow(1, FIRST_SLICE, scale.r());
    return taken(weight, a, b, scale);
  }

  private static Start taken(Tensor weight, Tensor a, Tensor b, LoraScale scale) {
    Tensor residual = weight.sub(b.mm(a).mul(scale.scaling()));
    return new Start(kept(a, b).factors(), Optional.of(residual));
  }

  private static LowRankSvd exactSvd(Tensor weight) {
    Tensor[] usv = SVD.callAll(weight, false);
    return new LowRankSvd(usv[0], usv[1], usv[2]);
  }

  private static Tensor dense(LoraInit init, Module base, String path) {
    if (BaseWeight.of(base).orElse(null) instanceof BaseWeight.Packed) {
      throw new ConfigurationException(
          "init_lora_weights: %s takes its start out of the base weight, and %s is kept in 4 bits;"
                  .formatted(init.toJson(), path)
              + " load the base without load_in_4bit, or take olora");
    }
    return weight(init, base, path);
  }

  private static Tensor weight(LoraInit init, Module base, String path) {
    return BaseWeight.of(base)
        .map(BaseWeight::exact)
        .orElseThrow(() ->
            new ConfigurationException(
                "init_lora_weights: %s needs the weight of %s, which is a %s"
                    .formatted(init.toJson(), path, base.getClass().getSimpleName())));
  }

  /** As a fresh linear layer's weight: within ±1/sqrt(in). */
  private static Tensor uniform(long out, long in) {
    Tensor weight = Tensor.empty(DType.FLOAT32, out, in);
    double bound = 1 / Math.sqrt(in);
    UNIFORM.run(weight, -bound, bound);
    return weight;
  }

  private static Tensor gaussian(int r, long in) {
    Tensor weight = Tensor.empty(DType.FLOAT32, r, in);
    NORMAL.run(weight, 0.0, 1.0 / r);
    return weight;
  }

  private static Tensor zeros(long... shape) {
    return Tensor.zeros(DType.FLOAT32, shape);
  }

  /** Factors that are free of what they were cut from. */
  private static Start kept(Tensor a, Tensor b) {
    return new Start(
        new LowRank(a.contiguous().clone().keep(), b.contiguous().clone().keep()),
        Optional.empty());
  }
}
