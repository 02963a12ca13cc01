package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.CausalLM;
import dev.panatune.nn.Embedding;
import dev.panatune.nn.Linear;
import dev.panatune.nn.Module;
import dev.panatune.nn.UnaryLayer;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.UnaryOperator;

/**
 * Parameters of the model itself that are trained beside an adapter: biases, and whole modules. A
 * float32 master is in the model in place of each, for as long as they are attached; what was there
 * before is kept, and comes back when they are detached.
 */
final class WholeParameters {
  /** What PEFT trains whole in a classifier, under whichever name it is there. */
  static final List<String> CLASSIFIER_HEADS = List.of("classifier", "score");

  private final SequencedMap<String, Whole> wholes = new LinkedHashMap<>();

  /** One parameter: where it is, what was there, and what takes its place. */
  private static final class Whole {
    private final Module holder;
    private final String name;
    private final Tensor stored;
    private Tensor own;

    Whole(Module holder, String name, Tensor stored, Tensor own) {
      this.holder = holder;
      this.name = name;
      this.stored = stored;
      this.own = own;
    }

    void put(Tensor tensor) {
      holder.swapParameter(name, tensor);
    }
  }

  /**
   * The modules that {@code modules_to_save} names, as paths end in them.
   *
   * @throws ConfigurationException if a name fits no module
   */
  static List<Map.Entry<String, Module>> modules(CausalLM model, List<String> modulesToSave) {
    List<Map.Entry<String, Module>> found = new ArrayList<>();
    SequencedMap<String, OriginalModules.Place> places = OriginalModules.of(model);
    for (String name : modulesToSave) {
      // PEFT names both heads that a classifier may have.
      boolean either = CLASSIFIER_HEADS.contains(name) && model.config().classifier().isPresent();
      if (!either && CLASSIFIER_HEADS.contains(name)) {
        throw new ConfigurationException(
            ("modules_to_save: %s is a classifier's head (task_type SEQ_CLS), and the model is a"
                    + " language model; load it as a classifier, with a number of labels")
                .formatted(name));
      }
      if (!either && places.keySet().stream().noneMatch(path -> path.endsWith(name))) {
        throw new ConfigurationException("modules_to_save: the model has no module " + name);
      }
    }
    places.forEach((path, place) -> {
      if (modulesToSave.stream().anyMatch(path::endsWith)) {
        found.add(Map.entry(path, place.inner()));
      }
    });
    return found;
  }

  /** Trains all parameters of a module. */
  void trainModule(Map.Entry<String, Module> entry) {
    Module module = entry.getValue();
    if (module.namedModules().anyMatch(it -> it.getValue() instanceof AdapterLayer)) {
      throw new ConfigurationException(
          "modules_to_save: %s has layers with an adapter in it".formatted(entry.getKey()));
    }
    if (module.namedParameters().isEmpty()) {
      throw new ConfigurationException(
          "modules_to_save: "
              + entry.getKey()
              + " has no weights of its own to train; a quantised layer cannot be trained whole");
    }
    module
        .namedModules()
        .forEach(it ->
            it.getValue()
                .parameters()
                .keySet()
                .forEach(name -> {
                  String inside = it.getKey().isEmpty() ? name : it.getKey() + "." + name;
                  train(entry.getKey() + "." + inside, it.getValue(), name);
                }));
  }

  /**
   * Trains one parameter: a float32 master takes its place.
   *
   * @param key what a file calls it
   * @param holder the module that has it
   * @param name the module's name for it
   */
  void train(String key, Module holder, String name) {
    if (wholes.containsKey(key)) {
      return;
    }
    try (TensorScope _ = TensorScope.open()) {
      Tensor stored = holder.parameters().get(name);
      Tensor master = stored.detach().to(DType.FLOAT32).clone().keep().requiresGrad(true);
      Whole whole = new Whole(holder, name, stored, master);
      whole.put(master);
      holder.closeAlso(stored);
      holder.closeAlso(master);
      wholes.put(key, whole);
    }
  }

  /** Whether nothing is trained whole. */
  boolean isEmpty() {
    return wholes.isEmpty();
  }

  /** What is in the model in place of its own, by the file's names. */
  SequencedMap<String, Tensor> masters() {
    SequencedMap<String, Tensor> masters = new LinkedHashMap<>();
    wholes.forEach((key, whole) -> masters.put(key, whole.own));
    return masters;
  }

  /**
   * The layers that are trained, by their paths, each computing with what was trained; as in PEFT,
   * linear layers and embeddings can be told apart by row.
   *
   * @return over this object's tensors, which the layers do not own: they are not to be closed
   * @throws ConfigurationException if something else is trained
   */
  SequencedMap<String, UnaryLayer> layers() {
    SequencedMap<String, UnaryLayer> layers = new LinkedHashMap<>();
    wholes.forEach((key, whole) -> {
      String path = key.substring(0, key.length() - whole.name.length() - 1);
      Whole weight = wholes.get(path + ".weight");
      if (weight == null) {
        throw new ConfigurationException(
            "adapters are chosen by row, but one trains %s, which is the same for all rows"
                .formatted(key));
      }
      layers.computeIfAbsent(
          path, _ -> layer(path, weight, Optional.ofNullable(wholes.get(path + ".bias"))));
    });
    return layers;
  }

  private static UnaryLayer layer(String path, Whole weight, Optional<Whole> bias) {
    return switch (weight.holder) {
      case Linear _ -> new Linear(weight.own, bias.map(it -> it.own).orElse(null));
      case Embedding table -> new Embedding(weight.own, table.scale());
      default ->
          throw new ConfigurationException(
              "adapters are chosen by row, but one trains %s whole, which is a %s; linear layers"
                      .formatted(path, weight.holder.getClass().getSimpleName())
                  + " and embeddings can be");
    };
  }

  /** Puts them into the model. */
  void attach() {
    wholes.values().forEach(whole -> whole.put(whole.own));
  }

  /** Puts back what was there before. */
  void detach() {
    wholes.values().forEach(whole -> whole.put(whole.stored));
  }

  /** Puts back what was there before, and frees what was trained. */
  void remove() {
    detach();
    wholes.values().forEach(whole -> whole.own.close());
    wholes.clear();
  }

  /**
   * Ends training: what takes a parameter's place has the type that the parameter had.
   *
   * @param choice from that type to the one to use
   * @return the new tensors, by the file's names
   */
  SequencedMap<String, Tensor> castBack(UnaryOperator<DType> choice) {
    for (Whole whole : wholes.values()) {
      try (TensorScope _ = TensorScope.open();
          Tensor master = whole.own) {
        boolean attached = whole.holder.parameters().get(whole.name) == master;
        DType dtype = choice.apply(whole.stored.dtype());
        // A tensor that has the type already would be freed with the master.
        whole.own = master.detach().to(dtype).clone().keep();
        whole.holder.closeAlso(whole.own);
        if (attached) {
          whole.put(whole.own);
        }
      }
    }
    return masters();
  }

  /** They become the model's own for good: what was there before is freed unless it is tied. */
  void settle(CausalLM model, UnaryOperator<DType> choice) {
    castBack(choice);
    attach();
    for (Whole whole : wholes.values()) {
      boolean inUse =
          model
              .namedModules()
              .anyMatch(it -> it.getValue().parameters().containsValue(whole.stored));
      if (!inUse) {
        whole.stored.close();
      }
    }
    wholes.clear();
  }
}
