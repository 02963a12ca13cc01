package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import dev.panatune.model.CausalLM;
import dev.panatune.model.PretrainedModel;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;

/**
 * A model with one adapter in it, or several. The model stays the caller's and runs as before, now
 * with the adapters that are active; all but those is frozen.
 *
 * <p>Several adapters are of one method, each under a name; the first is {@value #DEFAULT} unless
 * it is given another. Where several are active, what LoRA adapters add is added up, and what IA3
 * adapters scale is scaled by all; of prompts and prefixes one is active.
 */
public final class PeftModel {
  /** The name of an adapter that is not given one. */
  public static final String DEFAULT = "default";

  private final CausalLM model;
  private final AdapterSet adapters;
  private Optional<MergeInPlace> merge = Optional.empty();
  private boolean unloaded;

  private PeftModel(CausalLM model, String name, PeftConfig config, AdapterOrigin origin) {
    this.model = model;
    model.setTrainable(false);
    adapters = new AdapterSet(model, name, Adapter.of(model, config, origin));
  }

  /**
   * Adds a fresh adapter, which changes nothing until it is trained. Its weights are drawn from the
   * default generator.
   *
   * @throws ConfigurationException if nothing matches {@code target_modules}, or a match cannot be
   *     adapted
   */
  public static PeftModel create(CausalLM model, PeftConfig config) {
    return create(model, config, DEFAULT);
  }

  /** The same under a name. */
  public static PeftModel create(CausalLM model, PeftConfig config, String name) {
    return new PeftModel(model, name, config, AdapterOrigin.FRESH);
  }

  /** The same, for a configuration that may need the model's tokenizer. */
  public static PeftModel create(PretrainedModel pretrained, PeftConfig config) {
    return new PeftModel(pretrained.model(), DEFAULT, config, AdapterOrigin.freshOn(pretrained));
  }

  /**
   * Adds a saved adapter.
   *
   * @param directory holds {@code adapter_config.json} and {@code adapter_model.safetensors}, or
   *     what `adapters` saved
   * @param trainable whether it is going to be trained on; otherwise it is frozen too
   * @throws FormatException if the files are broken, or made for another base: names and shapes are
   *     in the message
   * @throws ConfigurationException if the adapter needs what is not supported yet
   */
  public static PeftModel load(CausalLM model, Path directory, boolean trainable) {
    return load(model, directory, trainable, DEFAULT);
  }

  /** The same under a name. */
  public static PeftModel load(CausalLM model, Path directory, boolean trainable, String name) {
    PeftConfig config = AdapterFiles.readConfig(directory);
    PeftModel adapted = new PeftModel(model, name, config, AdapterOrigin.stored(trainable));
    adapted.readParameters(name, directory);
    if (!trainable) {
      adapted.adapters.get(name).freeze();
    }
    return adapted;
  }

  /** The model, with the adapters in it until they are unloaded. */
  public CausalLM model() {
    return model;
  }

  /** The adapters' names, in the order in which they were added. */
  public List<String> adapterNames() {
    return adapters.names();
  }

  /** The names of those that take part, in the order in which they were activated. */
  public List<String> activeAdapters() {
    return adapters.active();
  }

  /** What the first active adapter is. */
  public PeftConfig config() {
    return adapters.first().config();
  }

  /** What an adapter is. */
  public PeftConfig config(String name) {
    return adapters.get(name).config();
  }

  /**
   * The first active adapter's parameters by name, float32, always in the same order: those of the
   * method, and the biases and whole modules that are trained with them.
   */
  public SequencedMap<String, Tensor> parameters() {
    return adapters.first().parameters();
  }

  /** The same of an adapter. */
  public SequencedMap<String, Tensor> parameters(String name) {
    return adapters.get(name).parameters();
  }

  /** Switches dropout on or off. */
  public void setTraining(boolean training) {
    adapters.setTraining(training);
  }

  /** Lets the active adapters take part, or not; a merge is undone before. */
  public void setEnabled(boolean enabled) {
    checkLoaded();
    unmergeAdapter();
    adapters.setEnabled(enabled);
  }

  /**
   * Adds a fresh adapter beside those that are there. It is not active.
   *
   * @throws ConfigurationException if there is one of that name, it is of another method, it does
   *     not fit the model, or it trains the model's biases though another adapter does
   */
  public void addAdapter(String name, PeftConfig config) {
    add(name, config, AdapterOrigin.FRESH);
  }

  private void add(String name, PeftConfig config, AdapterOrigin origin) {
    checkUnmerged("add an adapter");
    adapters.add(name, config, origin);
  }

  /**
   * Adds a saved adapter beside those that are there. It is not active.
   *
   * @param trainable whether it may be trained on once it is active
   */
  public void loadAdapter(String name, Path directory, boolean trainable) {
    PeftConfig config = AdapterFiles.readConfig(directory);
    add(name, config, AdapterOrigin.stored(trainable));
    try {
      readParameters(name, directory);
    } catch (RuntimeException e) {
      adapters.delete(name);
      throw e;
    }
    if (!trainable) {
      adapters.get(name).freeze();
    }
  }

  /**
   * Makes adapters the active ones. Those that are trainable are trained from now on.
   *
   * @throws ConfigurationException if one is unknown, or two train the same module or token
   */
  public void setAdapter(String... names) {
    checkUnmerged("change the active adapters");
    adapters.activate(List.of(names));
  }

  /**
   * Takes an adapter out and frees it. Where it was the only active one, the first of the others
   * becomes active.
   *
   * @throws ConfigurationException if it is unknown, or the last
   */
  public void deleteAdapter(String name) {
    checkUnmerged("delete an adapter");
    adapters.delete(name);
  }

  /**
   * Puts a saved adapter in the place of one that is there, without touching the model: the new
   * values are copied into the same tensors.
   *
   * @throws ConfigurationException if it differs in more than its values and scale
   * @throws FormatException if its tensors differ in name or shape
   */
  public void hotSwap(String name, Path directory) {
    checkUnmerged("swap an adapter");
    adapters.rescale(
        name, AdapterFiles.readConfig(directory), () -> readParameters(name, directory));
  }

  /**
   * Adds an adapter that is made of others; see {@link Combination}. It is not active.
   *
   * @throws ConfigurationException if the others cannot be combined so
   */
  public void addWeightedAdapter(String name, Combination combination) {
    addWeightedAdapter(name, combination, TaskArithmetic.Masks.RANDOM);
  }

  void addWeightedAdapter(String name, Combination combination, TaskArithmetic.Masks masks) {
    checkUnmerged("add an adapter");
    adapters.addWeighted(name, combination, masks);
  }

  /**
   * Chooses the adapter for every row of the batches that come, until the result is closed; the
   * active ones do not count meanwhile.
   *
   * @param names one a row; {@value AdapterRows#BASE} for none
   * @throws ConfigurationException if a name is unknown, a named adapter trains biases or whole
   *     modules other than linear layers and embeddings, or there is a merge or training
   */
  public AdapterRows chooseRows(List<String> names) {
    checkUnmerged("choose adapters by row");
    return new AdapterRows(adapters, names);
  }

  /**
   * Writes the adapters as PEFT does: that named {@value #DEFAULT} into the directory, others into
   * folders of their names in it.
   *
   * @param directory is there; files of the same names are replaced
   * @param baseModel what to tell as {@code base_model_name_or_path}, or null
   */
  public void save(Path directory, String baseModel) {
    checkLoaded();
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable()) {
      for (String name : adapters.names()) {
        Adapter adapter = adapters.get(name);
        adapter.write(AdapterFiles.folder(directory, name), baseModel);
      }
    }
  }

  /**
   * Copies a saved adapter of the same configuration into the first active adapter's parameters.
   *
   * @throws FormatException if a tensor is missing, unknown, or of another shape
   */
  public void readParameters(Path directory) {
    checkLoaded();
    readParameters(adapters.active().getFirst(), directory);
  }

  private void readParameters(String name, Path directory) {
    Adapter adapter = adapters.get(name);
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable()) {
      SequencedMap<String, Tensor> training = adapter.trainingState();
      if (!training.isEmpty()) {
        AdapterFiles.readTrainingState(directory, training)
            .forEach((key, tensor) -> training.get(key).copy_(tensor));
        return;
      }
      adapter.loadStateDict(adapter.read(directory));
    }
  }

  /**
   * Adds the updates of adapters to the weights; the layers are kept beside, so that {@link
   * #unmergeAdapter} gives them back bit for bit. As in PEFT, no adapter takes part meanwhile but
   * through the weights.
   *
   * @param names the adapters, merged one after another; none for the active ones
   * @return how far the weights are from the exact sum, layer by layer
   */
  public MergeReport mergeAdapter(MergeOptions options, String... names) {
    checkUnmerged("merge again");
    List<MergeableAdapter> chosen = adapters.mergeable(chosen(names));
    MergeInPlace merged =
        new MergeInPlace(model, chosen.stream().map(MergeableAdapter::layers).toList(), options);
    merge = Optional.of(merged);
    adapters.setBypassed(true);
    return merged.report();
  }

  /** Undoes a merge, where there is one. */
  public void unmergeAdapter() {
    checkLoaded();
    if (merge.isPresent()) {
      merge.get().undo();
      merge = Optional.empty();
      adapters.setBypassed(false);
    }
  }

  /**
   * Adds the updates to the weights and takes the adapters out: what is left in {@link #model} is a
   * plain model. Of a 4-bit base it is one of dense weights, or a 4-bit one again, as asked.
   *
   * @param names the adapters, merged one after another; none for the active ones
   * @return how far the weights are from the exact sum, layer by layer
   * @throws ConfigurationException if an adapter's head cannot be merged because the model ties it
   *     to the embeddings
   */
  public MergeReport mergeAndUnload(MergeOptions options, String... names) {
    checkLoaded();
    unmergeAdapter();
    List<String> chosen = chosen(names);
    MergeReport report;
    if (adapters.names().size() == 1) {
      report = adapters.get(chosen.getFirst()).mergeAndUnload(options);
    } else {
      List<MergeableAdapter> merged = adapters.mergeable(chosen);
      adapters.activate(chosen);
      List<WholeParameters> wholes = merged.stream().map(MergeableAdapter::whole).toList();
      Merge into =
          new Merge(model, merged.stream().map(MergeableAdapter::layers).toList(), wholes, options);
      adapters.removeAllBut(Set.copyOf(chosen));
      report = into.run();
    }
    unloaded = true;
    return report;
  }

  /** Takes the adapters out; what is left in {@link #model} is the base as it was. */
  public void unload() {
    checkLoaded();
    unmergeAdapter();
    adapters.removeAllBut(Set.of());
    unloaded = true;
  }

  private List<String> chosen(String... names) {
    return names.length == 0 ? adapters.active() : List.of(names);
  }

  private void checkUnmerged(String action) {
    checkLoaded();
    if (merge.isPresent()) {
      throw new ConfigurationException(
          "adapters are merged into the weights; unmerge them to " + action);
    }
  }

  private void checkLoaded() {
    if (unloaded) {
      throw new ConfigurationException("the adapter was merged and taken out of the model");
    }
  }

  /**
   * What a saved adapter is for.
   *
   * @throws FormatException if the directory holds no adapter
   */
  public static TaskType savedTask(Path directory) {
    return AdapterFiles.readTask(directory);
  }

  /** How many classes a saved adapter of a classifier tells, by the head that is saved with it. */
  public static int savedLabels(Path directory) {
    return AdapterFiles.readLabels(directory);
  }

  /** The folders of adapters that PEFT wrote into one directory, by name. */
  public static SequencedMap<String, Path> saved(Path directory) {
    return AdapterFiles.folders(directory);
  }
}
