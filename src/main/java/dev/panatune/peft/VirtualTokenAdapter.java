package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.CausalLM;
import dev.panatune.model.ModelConfig;
import dev.panatune.model.VirtualTokens;
import dev.panatune.nn.Module;
import dev.panatune.tensor.Tensor;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;

/** Virtual tokens in front of a model's texts: a soft prompt, or a prefix of keys and values. */
abstract class VirtualTokenAdapter implements SwitchableAdapter {
  /** The method's one tensor in the file. */
  static final String KEY = "prompt_embeddings";

  /** What is trained whole lies directly in PEFT's model, which wraps nothing else. */
  private static final String WHOLE_PREFIX = "base_model.";

  private final CausalLM model;
  private final VirtualTokens tokens;
  private final WholeParameters whole = new WholeParameters();
  private final SequencedMap<String, Tensor> parameters;
  private final Participation participation;

  /** Freezes the model and attaches the tokens. */
  VirtualTokenAdapter(CausalLM model, VirtualTokens tokens, TaskType task) {
    this.model = model;
    this.tokens = tokens;
    List<Map.Entry<String, Module>> heads =
        WholeParameters.modules(model, task.withHeads(List.of()));
    try {
      model.attach(tokens);
    } catch (ConfigurationException e) {
      tokens.close();
      throw e;
    }
    // Others may be in their place when the model is closed.
    model.closeAlso(tokens);
    model.setTrainable(false);
    tokens.setTrainable(true);
    heads.forEach(whole::trainModule);
    parameters = new LinkedHashMap<>(model.trainableParameters());
    participation = new Participation(whole, parameters);
  }

  /** The model's facts that PEFT writes into the configuration. */
  abstract Shape shape();

  /** What the file holds of the tokens. */
  abstract Tensor stored();

  /** Where it is copied to. */
  abstract Tensor table();

  /**
   * What PEFT calls the size of a token.
   *
   * @param tokenDim elements of an embedding, or of a layer's keys
   * @param heads attention heads, of keys and values for a prefix
   */
  record Shape(int tokenDim, int heads) {}

  final ModelConfig modelConfig() {
    return model.config();
  }

  @Override
  public SequencedMap<String, Tensor> parameters() {
    return Collections.unmodifiableSequencedMap(parameters);
  }

  @Override
  public SequencedMap<String, Tensor> stateDict() {
    SequencedMap<String, Tensor> state = new LinkedHashMap<>();
    state.put(KEY, stored());
    whole.masters().forEach((name, tensor) -> state.put(WHOLE_PREFIX + name, tensor));
    return state;
  }

  @Override
  public void loadStateDict(Map<String, Tensor> tensors) {
    table().copy_(tensors.get(KEY));
    whole.masters().forEach((name, tensor) -> tensor.copy_(tensors.get(WHOLE_PREFIX + name)));
  }

  @Override
  public Map<String, Object> fileOptions() {
    Map<String, Object> options = config().toMap();
    options.put("token_dim", shape().tokenDim());
    options.put("num_attention_heads", shape().heads());
    options.put("num_layers", model.config().layerCount());
    options.put("num_transformer_submodules", 1);
    return options;
  }

  /** Nothing of it is different in training. */
  @Override
  public void setTraining(boolean training) {}

  @Override
  public void setEnabled(boolean enabled) {
    if (enabled != participation.isAttached()) {
      if (enabled) {
        model.attach(tokens);
      } else {
        model.detach();
      }
    }
    participation.setAttached(enabled);
  }

  @Override
  public Set<String> replaced() {
    Set<String> replaced = new LinkedHashSet<>(whole.masters().keySet());
    replaced.add("the tokens in front of a text");
    return replaced;
  }

  @Override
  public void remove() {
    setEnabled(false);
    whole.remove();
    tokens.close();
    parameters.clear();
  }

  @Override
  public void freeze() {
    participation.freeze();
  }

  @Override
  public MergeReport mergeAndUnload(MergeOptions options) {
    throw new ConfigurationException(
        "%s cannot be merged: it is no part of the weights; keep it beside the model"
            .formatted(config().summary()));
  }
}
