package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.CausalLM;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;

/** The adapters on one model, by name, and which of them take part. */
final class AdapterSet {
  private final CausalLM model;
  private final SequencedMap<String, Adapter> adapters = new LinkedHashMap<>();
  private List<String> active;
  private boolean enabled = true;
  private boolean training;

  /** A first adapter, which is active. */
  AdapterSet(CausalLM model, String name, Adapter first) {
    this.model = model;
    checkName(name);
    adapters.put(name, first);
    active = List.of(name);
  }

  List<String> names() {
    return List.copyOf(adapters.keySet());
  }

  List<String> active() {
    return active;
  }

  boolean isTraining() {
    return training;
  }

  Adapter first() {
    return adapters.get(active.getFirst());
  }

  /**
   * The adapter of a name.
   *
   * @throws ConfigurationException if there is none; the message lists those that there are
   */
  Adapter get(String name) {
    Adapter adapter = adapters.get(name);
    if (adapter == null) {
      throw new ConfigurationException(
          "there is no adapter " + name + "; there are " + String.join(", ", adapters.keySet()));
    }
    return adapter;
  }

  /**
   * Adapters that can be put in and out.
   *
   * @throws ConfigurationException if one is of a method that cannot
   */
  List<SwitchableAdapter> switchable(List<String> names) {
    return names.stream().map(this::switchable).toList();
  }

  private SwitchableAdapter switchable(String name) {
    if (get(name) instanceof SwitchableAdapter adapter) {
      return adapter;
    }
    throw new ConfigurationException(
        "%s is %s, which cannot be switched or be one of several on a model"
            .formatted(name, get(name).config().summary()));
  }

  /**
   * An adapter of LoRA.
   *
   * @throws ConfigurationException if it is of another method: as in PEFT, only LoRA adapters can
   *     be chosen by row and swapped in place
   */
  LoraAdapter lora(String name) {
    if (get(name) instanceof LoraAdapter adapter) {
      return adapter;
    }
    throw new ConfigurationException(
        "%s is %s; as in PEFT, only LoRA adapters can be chosen by row or swapped in place"
            .formatted(name, get(name).config().summary()));
  }

  /**
   * Adapters that can become part of weights.
   *
   * @throws ConfigurationException if one is of a method that cannot
   */
  List<MergeableAdapter> mergeable(List<String> names) {
    return names.stream().map(this::mergeable).toList();
  }

  private MergeableAdapter mergeable(String name) {
    if (get(name) instanceof MergeableAdapter adapter) {
      return adapter;
    }
    throw new ConfigurationException(
        "%s is %s; only LoRA and IA3 adapters can become part of weights"
            .formatted(name, get(name).config().summary()));
  }

  void setTraining(boolean training) {
    this.training = training;
    adapters.values().forEach(adapter -> adapter.setTraining(training));
  }

  void setEnabled(boolean enabled) {
    this.enabled = enabled;
    active.forEach(name -> get(name).setEnabled(enabled));
  }

  /** Leaves all layers as they are, because their weights have the adapters in them. */
  void setBypassed(boolean bypassed) {
    mergeable(names()).forEach(adapter -> adapter.setBypassed(bypassed));
  }

  void activate(List<String> names) {
    if (names.isEmpty()) {
      throw new ConfigurationException(
          "no adapter is named; setEnabled(false) lets none take part");
    }
    if (adapters.size() == 1 && names.equals(active)) {
      return;
    }
    checkApart(names);
    switchable(active).forEach(adapter -> adapter.setEnabled(false));
    active = List.copyOf(names);
    if (enabled) {
      switchable(active).forEach(adapter -> adapter.setEnabled(true));
    }
  }

  /** As in PEFT, two cannot both replace a module, a token's embedding, or a text's front. */
  private void checkApart(List<String> names) {
    Map<String, String> owners = new HashMap<>();
    for (String name : names) {
      for (String key : switchable(name).replaced()) {
        String other = owners.put(key, name);
        if (other != null) {
          throw new ConfigurationException(
              other.equals(name)
                  ? name + " is named twice"
                  : "%s and %s cannot be active together: both replace %s"
                      .formatted(other, name, key));
        }
      }
    }
    if (Set.copyOf(names).size() != names.size()) {
      throw new ConfigurationException("an adapter is named twice: " + String.join(", ", names));
    }
  }

  void add(String name, PeftConfig config, AdapterOrigin origin) {
    checkName(name);
    if (adapters.containsKey(name)) {
      throw new ConfigurationException("there is an adapter " + name + " already");
    }
    PeftConfig other = first().config();
    if (config.peftType() != other.peftType()) {
      throw new ConfigurationException(
          "%s is %s, and the model has %s: as in PEFT, all adapters on a model are of one method"
              .formatted(name, config.summary(), other.summary()));
    }
    switchable(names());
    if (trainsBiases(config) && adapters.values().stream().anyMatch(AdapterSet::trainsBiases)) {
      throw new ConfigurationException(
          name
              + " trains biases (bias: "
              + ((LoraConfig) config).bias().peftName()
              + "), and another adapter does so too: as in PEFT, only one on a model can");
    }
    // A new adapter starts from the model itself, not from what others trained of it.
    switchable(active).forEach(adapter -> adapter.setEnabled(false));
    try {
      Adapter added = Adapter.of(model, config, origin);
      added.setTraining(training);
      added.setEnabled(false);
      adapters.put(name, added);
    } finally {
      setEnabled(enabled);
    }
  }

  private static boolean trainsBiases(Adapter adapter) {
    return trainsBiases(adapter.config());
  }

  private static boolean trainsBiases(PeftConfig config) {
    return config instanceof LoraConfig lora && lora.bias() != LoraBias.NONE;
  }

  private static void checkName(String name) {
    if (!name.matches("[A-Za-z0-9_][A-Za-z0-9_ -]*") || name.equals(AdapterRows.BASE)) {
      throw new ConfigurationException(
          "'%s' is no name for an adapter: letters, digits, _ and - are".formatted(name));
    }
  }

  void delete(String name) {
    SwitchableAdapter adapter = switchable(name);
    if (adapters.size() == 1) {
      throw new ConfigurationException(name + " is the only adapter; unload takes it out");
    }
    adapter.setEnabled(false);
    adapter.remove();
    adapters.remove(name);
    List<String> rest = active.stream().filter(other -> !other.equals(name)).toList();
    active = rest.isEmpty() ? List.of(adapters.firstEntry().getKey()) : rest;
    setEnabled(enabled);
  }

  void rescale(String name, PeftConfig config, Runnable reading) {
    LoraAdapter adapter = lora(name);
    if (!(config instanceof LoraConfig lora) || lora.initLoraWeights().changesBase()) {
      throw new ConfigurationException(
          "%s cannot take the place of %s: %s"
              .formatted(
                  config.summary(),
                  name,
                  config instanceof LoraConfig
                      ? "it changes the base's weights"
                      : "it is of another method"));
    }
    reading.run();
    adapter.rescale(lora);
  }

  void addWeighted(String name, Combination combination, TaskArithmetic.Masks masks) {
    List<Adapter> sources = combination.adapters().stream().map(this::get).toList();
    add(name, combination.config(sources), AdapterOrigin.FRESH);
    Adapter added = get(name);
    try {
      combination.fill(added, sources, masks);
    } catch (RuntimeException e) {
      delete(name);
      throw e;
    }
    added.freeze();
  }

  void removeAllBut(Set<String> kept) {
    for (String name : names()) {
      if (!kept.contains(name)) {
        SwitchableAdapter adapter = switchable(name);
        adapter.setEnabled(false);
        adapter.remove();
        adapters.remove(name);
      }
    }
  }
}
