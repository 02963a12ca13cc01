package dev.panatune.train;

import dev.panatune.data.Example;
import dev.panatune.format.SafetensorsIndex;
import dev.panatune.format.TensorFile;
import dev.panatune.model.CausalLM;
import dev.panatune.model.ModelConfig;
import dev.panatune.nn.Linear;
import dev.panatune.nn.LinearLayer;
import dev.panatune.nn.Module;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Rng;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.TreeMap;

/** A random model of a few thousand parameters with a low-rank update on two layers a block. */
final class TinyAdapter implements TrainableModel, AutoCloseable {
  private static final int RANK = 2;
  private static final int VOCABULARY = 61;

  private final CausalLM model;
  private final List<Update> updates = new ArrayList<>();
  private final SequencedMap<String, Tensor> parameters = new LinkedHashMap<>();

  private TinyAdapter(CausalLM model) {
    this.model = model;
  }

  /** A frozen model with updates that have a dropout; the same at every call. */
  static TinyAdapter create(double dropout, Map<String, Object> changes) {
    TinyAdapter adapter = new TinyAdapter(CausalLM.random(config(changes), 7));
    Rng.seed(11);
    for (int i = 0; i < adapter.model.config().layerCount(); i++) {
      adapter.wrap("model.layers." + i + ".self_attn.q_proj", dropout);
      adapter.wrap("model.layers." + i + ".mlp.down_proj", dropout);
    }
    return adapter;
  }

  static TinyAdapter create(double dropout) {
    return create(dropout, Map.of());
  }

  static ModelConfig config(Map<String, Object> changes) {
    Map<String, Object> json =
        new TreeMap<>(
            Map.of(
                "model_type", "llama",
                "vocab_size", VOCABULARY,
                "hidden_size", 32,
                "intermediate_size", 48,
                "num_hidden_layers", 3,
                "num_attention_heads", 4,
                "num_key_value_heads", 2,
                "max_position_embeddings", 128,
                "initializer_range", 0.2));
    json.putAll(changes);
    return ModelConfig.fromHuggingFace(json);
  }

  /** Rows of 4 to 12 tokens, of which the first half is not learnt; the same at every call. */
  static List<Example> examples(int count) {
    SeededRandom random = new SeededRandom(5, 0);
    List<Example> examples = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int[] ids = new int[4 + random.below(9)];
      int[] labels = new int[ids.length];
      for (int t = 0; t < ids.length; t++) {
        ids[t] = random.below(VOCABULARY);
        labels[t] = t < ids.length / 2 ? Example.IGNORED : ids[t];
      }
      examples.add(new Example(ids, labels));
    }
    return examples;
  }

  private void wrap(String path, double dropout) {
    Update update = new Update((LinearLayer) model.child(path), dropout);
    model.replaceChild(path, update);
    updates.add(update);
    parameters.put(path + ".a", update.a);
    parameters.put(path + ".b", update.b);
  }

  /** All trained values, one parameter after another. */
  Map<String, float[]> values() {
    Map<String, float[]> values = new LinkedHashMap<>();
    parameters.forEach((name, tensor) -> values.put(name, tensor.toFloats()));
    return values;
  }

  @Override
  public CausalLM model() {
    return model;
  }

  @Override
  public SequencedMap<String, Tensor> trainableParameters() {
    return parameters;
  }

  @Override
  public void setTraining(boolean training) {
    updates.forEach(update -> update.training = training);
  }

  @Override
  public void save(Path directory) {
    TensorFile.write(directory.resolve("adapter.safetensors"), parameters);
  }

  @Override
  public void load(Path directory) {
    StoredTensors.copy(SafetensorsIndex.open(directory.resolve("adapter.safetensors")), parameters);
  }

  @Override
  public void close() {
    model.close();
  }

  /** {@code base(x) + B(A(dropout(x)))}. */
  private static final class Update extends Module implements LinearLayer {
    private final Slot<LinearLayer> base;
    private final Tensor a;
    private final Tensor b;
    private final double dropout;
    private boolean training;

    Update(LinearLayer wrapped, double dropout) {
      base = addChild("base_layer", LinearLayer.class, wrapped);
      this.dropout = dropout;
      try (TensorScope _ = TensorScope.open()) {
        a = Tensor.randn(DType.FLOAT32, RANK, inFeatures()).mul(0.1).keep().requiresGrad(true);
        b = Tensor.randn(DType.FLOAT32, outFeatures(), RANK).mul(0.1).keep().requiresGrad(true);
      }
      addChild("a", Linear.class, new Linear(a, null));
      addChild("b", Linear.class, new Linear(b, null));
    }

    @Override
    public Tensor forward(Tensor input) {
      Tensor x = training && dropout > 0 ? input.dropout(dropout) : input;
      return base.get().forward(input).add(x.matmul(a.t()).matmul(b.t()));
    }

    @Override
    public long inFeatures() {
      return base.get().inFeatures();
    }

    @Override
    public long outFeatures() {
      return base.get().outFeatures();
    }
  }
}
