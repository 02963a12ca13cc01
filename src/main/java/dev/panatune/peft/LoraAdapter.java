package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.CausalLM;
import dev.panatune.nn.Conv1D;
import dev.panatune.nn.Embedding;
import dev.panatune.nn.LinearLayer;
import dev.panatune.nn.Module;
import dev.panatune.nn.UnaryLayer;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import java.util.stream.Stream;

/**
 * LoRA in a model: low-rank updates beside linear layers and embeddings, single tokens' embeddings,
 * and what is trained whole with them.
 */
final class LoraAdapter implements SwitchableAdapter, MergeableAdapter {
  /** The names among the targets that make PEFT save embeddings. */
  private static final List<String> EMBEDDING_NAMES = List.of("embed_tokens", "lm_head");

  private final CausalLM model;
  private LoraConfig config;
  private final AdapterState state = new AdapterState();
  private final SequencedMap<String, MergeableLayer> layers = new LinkedHashMap<>();
  private final SequencedMap<String, TrainedRows<?>> rowLayers = new LinkedHashMap<>();
  private final WholeParameters whole = new WholeParameters();
  private final SequencedMap<String, Tensor> parameters = new LinkedHashMap<>();
  private final Participation participation = new Participation(whole, parameters);

  private LoraAdapter(CausalLM model, LoraConfig wanted) {
    this.model = model;
    config = wanted.resolved(model.config().modelType());
    SequencedMap<String, OriginalModules.Place> targets =
        TargetLayers.select(model, config.selection());
    List<Map.Entry<String, Module>> saved = WholeParameters.modules(model, config.modulesToSave());
    targets.forEach(this::wrap);
    layers.putAll(TokenLayers.add(model, config.trainableTokenIndices(), state));
    layers.forEach((path, layer) ->
        layer.tensors().forEach((name, tensor) -> parameters.put(path + "." + name, tensor)));
    parameters.values().forEach(tensor -> tensor.requiresGrad(true));
    trainBiases();
    saved.forEach(whole::trainModule);
    parameters.putAll(whole.masters());
  }

  static LoraAdapter of(CausalLM model, LoraConfig config) {
    return new LoraAdapter(model, config);
  }

  private void wrap(String path, OriginalModules.Place place) {
    LoraScale scale = config.scaleOf(path);
    MergeableLayer layer =
        switch (place.inner()) {
          case Embedding table -> embedding(table, place, scale);
          case LinearLayer linear -> linear(path, linear, place, scale);
          default ->
              throw new ConfigurationException(
                  "target_modules matches %s, which is a %s; LoRA adapts linear layers and"
                          .formatted(path, place.inner().getClass().getSimpleName())
                      + " embeddings: "
                      + String.join(", ", TargetLayers.linearNames(model)));
        };
    model.replaceChild(path, (Module) layer);
    layers.put(path, layer);
  }

  private LoraEmbedding embedding(Embedding table, OriginalModules.Place place, LoraScale scale) {
    if (config.loraBias()) {
      throw new ConfigurationException("lora_bias does not go with an embedding");
    }
    boolean zero = config.initLoraWeights() != LoraInit.Kind.RANDOM;
    return new LoraEmbedding(
        (UnaryLayer) place.outer(),
        state,
        table.weight().size(0),
        table.weight().size(1),
        scale,
        zero,
        config.useDora());
  }

  private LoraLinear linear(
      String path, LinearLayer linear, OriginalModules.Place place, LoraScale scale) {
    try (TensorScope _ = TensorScope.open()) {
      long out = linear.outFeatures();
      LoraInitializer.Start start =
          LoraInitializer.start(
              config.initLoraWeights(), place.inner(), linear.inFeatures(), out, scale, path);
      LinearLayer outer = (LinearLayer) place.outer();
      if (start.residual().isPresent()) {
        outer = (LinearLayer) withResidual(path, place, start.residual().get());
      }
      Tensor bias =
          config.loraBias() ? LoraInitializer.bias(config.initLoraWeights(), out, scale.r()) : null;
      return new LoraLinear(outer, state, start.factors(), bias, scale.scaling(), config);
    }
  }

  /** The base layer without what the adapter starts with. */
  private Module withResidual(String path, OriginalModules.Place place, Tensor residual) {
    if (place.outer() != place.inner()) {
      throw new ConfigurationException(
          "init_lora_weights: %s changes the weight of %s, which has another adapter on it"
              .formatted(config.initLoraWeights().toJson(), path));
    }
    BaseWeight weight = BaseWeight.of(place.inner()).orElseThrow();
    Tensor bias = weight.bias().map(tensor -> tensor.clone().keep()).orElse(null);
    Module layer = weight.layer(residual, bias, weight.dtype());
    model.replaceChild(path, layer);
    place.inner().close();
    return layer;
  }

  /** As in PEFT, the last of the linear layers says how weights lie. */
  @Override
  public LoraConfig config() {
    boolean inOut =
        layers.values().stream()
            .filter(LoraLinear.class::isInstance)
            .map(layer -> OriginalModules.inner((Module) layer) instanceof Conv1D)
            .reduce(config.fanInFanOut(), (_, last) -> last);
    return inOut == config.fanInFanOut() ? config : config.with("fan_in_fan_out", inOut);
  }

  @Override
  public SequencedMap<String, Tensor> parameters() {
    return Collections.unmodifiableSequencedMap(parameters);
  }

  @Override
  public SequencedMap<String, Tensor> stateDict() {
    return AdapterFiles.keysOf(parameters);
  }

  /** As in PEFT, an adapter of an embedding brings the embedding along: it may have grown. */
  @Override
  public SequencedMap<String, Tensor> baseState() {
    SequencedMap<String, Tensor> found = new LinkedHashMap<>();
    if (isEmbeddingNamed() && config.trainableTokenIndices().isEmpty()) {
      Stream.of(model.config().embeddingName(), model.config().headName())
          .filter(layers::containsKey)
          .forEach(path -> {
            Module inner = OriginalModules.inner((Module) layers.get(path));
            Tensor weight = inner.parameters().get("weight");
            if (weight != null) {
              found.put(path + ".base_layer.weight", weight);
            }
          });
    }
    return AdapterFiles.keysOf(found);
  }

  private boolean isEmbeddingNamed() {
    return switch (config.targetModules().orElseThrow()) {
      case TargetModules.Names names -> names.names().stream().anyMatch(EMBEDDING_NAMES::contains);
      case TargetModules.AllLinear _ -> false;
      case TargetModules.Regex _ ->
          layers.keySet().stream()
              .map(path -> path.substring(path.lastIndexOf('.') + 1))
              .anyMatch(EMBEDDING_NAMES::contains);
    };
  }

  @Override
  public void loadStateDict(Map<String, Tensor> tensors) {
    stateDict().forEach((key, parameter) -> parameter.copy_(tensors.get(key)));
    baseState()
        .forEach((key, weight) -> {
          Tensor stored = tensors.get(key);
          if (stored != null && !stored.to(weight.dtype()).equal(weight)) {
            weight.copy_(stored);
          }
        });
  }

  @Override
  public void setTraining(boolean training) {
    state.setTraining(training);
  }

  @Override
  public void setEnabled(boolean enabled) {
    state.setEnabled(enabled);
    participation.setAttached(enabled);
  }

  @Override
  public void setBypassed(boolean bypassed) {
    state.setEnabled(participation.isAttached() && !bypassed);
  }

  /** Limits it to some rows of the batches that come; null ends that. */
  void setRows(AdapterState.Rows rows) {
    state.setEnabled(rows != null || participation.isAttached());
    state.setRows(rows);
    OriginalModules.remove(model, rowLayers);
    if (rows == null) {
      if (participation.isAttached()) {
        whole.attach();
      }
    } else {
      whole.detach();
      if (rows.index().numel() > 0) {
        whole.layers().forEach(this::putRows);
      }
    }
  }

  private void putRows(String path, UnaryLayer trained) {
    String inner = OriginalModules.innerPath(model, path);
    TrainedRows<?> layer = TrainedRows.around((UnaryLayer) model.child(inner), trained, state);
    model.replaceChild(inner, layer);
    rowLayers.put(path, layer);
  }

  @Override
  public SequencedMap<String, MergeableLayer> layers() {
    return Collections.unmodifiableSequencedMap(layers);
  }

  @Override
  public WholeParameters whole() {
    return whole;
  }

  @Override
  public Set<String> replaced() {
    Set<String> replaced = new LinkedHashSet<>(whole.masters().keySet());
    layers.forEach((path, layer) -> {
      if (layer instanceof TokenLayer tokens) {
        tokens.ids().forEach(id -> replaced.add(path + ", token " + id));
      }
    });
    return replaced;
  }

  @Override
  public void remove() {
    whole.remove();
    OriginalModules.remove(model, layers);
    parameters.clear();
  }

  /** Takes another configuration's scales; the rest of the two is alike. */
  void rescale(LoraConfig other) {
    layers.forEach((path, layer) -> {
      if (layer instanceof LoraLayer lora) {
        lora.setScaling(other.scaleOf(path).scaling());
      }
    });
    // Dropout stays as the layers were made with it.
    config = other.resolved(model.config().modelType()).with("lora_dropout", config.loraDropout());
  }

  @Override
  public void freeze() {
    participation.freeze();
  }

  @Override
  public MergeReport mergeAndUnload(MergeOptions options) {
    return new Merge(model, List.of(layers), List.of(whole), options).run();
  }

  private void trainBiases() {
    if (config.bias() == LoraBias.NONE) {
      return;
    }
    OriginalModules.of(model)
        .forEach((path, place) -> {
          boolean wanted = config.bias() == LoraBias.ALL || layers.containsKey(path);
          if (wanted && place.inner().parameters().containsKey("bias")) {
            String adapted = place.outer() == place.inner() ? "" : ".base_layer";
            whole.train(path + adapted + ".bias", place.inner(), "bias");
          }
        });
  }
}
