package dev.panatune.peft;

import dev.panatune.model.CausalLM;
import dev.panatune.model.ModelConfig;
import dev.panatune.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;

/** Prefix tuning in a model. */
final class PrefixTuningAdapter extends VirtualTokenAdapter {
  private final PrefixTuningConfig config;
  private final PrefixEncoder encoder;

  private PrefixTuningAdapter(CausalLM model, PrefixTuningConfig config, PrefixEncoder encoder) {
    super(model, encoder, config.taskType());
    this.config = config;
    this.encoder = encoder;
  }

  /** Makes it; the projection is left out where nothing is going to be trained. */
  static PrefixTuningAdapter of(CausalLM model, PrefixTuningConfig config, AdapterOrigin origin) {
    ModelConfig base = model.config();
    int count = config.numVirtualTokens();
    boolean projected = config.prefixProjection() && origin.trainable();
    PrefixEncoder encoder =
        projected
            ? PrefixEncoder.projected(
                base,
                count,
                config.encoderHiddenSize().orElse(PrefixEncoder.tokenSize(base)),
                config.zeroInit())
            : PrefixEncoder.flat(base, count, config.zeroInit());
    return new PrefixTuningAdapter(model, config, encoder);
  }

  @Override
  public PrefixTuningConfig config() {
    return config;
  }

  @Override
  Shape shape() {
    return new Shape(PrefixEncoder.tokenSize(modelConfig()), modelConfig().keyValueHeads());
  }

  @Override
  public Map<String, Object> fileOptions() {
    Map<String, Object> options = super.fileOptions();
    options.put("encoder_hidden_size", config.encoderHiddenSize().orElse(shape().tokenDim()));
    return options;
  }

  @Override
  Tensor stored() {
    return encoder.flat().detach();
  }

  @Override
  Tensor table() {
    return encoder.table();
  }

  /** PEFT's file has what the projection makes, and not the projection. */
  @Override
  public SequencedMap<String, Tensor> trainingState() {
    return encoder.isProjected() ? new LinkedHashMap<>(parameters()) : new LinkedHashMap<>();
  }
}
