package dev.panatune.peft;

import dev.panatune.nn.Module;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;

/** A model's modules by the paths that they had before any adapter was put around them. */
final class OriginalModules {
  /**
   * One module.
   *
   * @param outer what is at the path now: the module itself, or the outermost adapter around it
   * @param inner the module itself
   */
  record Place(Module outer, Module inner) {}

  private OriginalModules() {}

  /** All modules of a model, parents before their children; the model itself is at {@code ""}. */
  static SequencedMap<String, Place> of(Module model) {
    SequencedMap<String, Place> found = new LinkedHashMap<>();
    collect("", model, found);
    return found;
  }

  /** The module that an adapter, or several, are around. */
  static Module inner(Module module) {
    Module inner = module;
    while (inner instanceof AdapterLayer adapted) {
      inner = (Module) adapted.base();
    }
    return inner;
  }

  /** Takes one of the adapters around a module away, without closing it. */
  private static void unwrap(Module model, String path, AdapterLayer layer) {
    String at = path;
    Module current = model.child(at);
    while (current != layer) {
      at += ".base_layer";
      current = model.child(at);
    }
    model.replaceChild(at, (Module) layer.base());
  }

  /** Takes adapters away, by their paths, and closes them; the map is empty afterwards. */
  static void remove(Module model, Map<String, ? extends AdapterLayer> layers) {
    layers.forEach((path, layer) -> {
      unwrap(model, path, layer);
      layer.close();
    });
    layers.clear();
  }

  /** Where the module itself is that the adapters at a path are around. */
  static String innerPath(Module model, String path) {
    String at = path;
    while (model.child(at) instanceof AdapterLayer) {
      at += ".base_layer";
    }
    return at;
  }

  private static void collect(String path, Module outer, SequencedMap<String, Place> into) {
    Module inner = inner(outer);
    into.put(path, new Place(outer, inner));
    for (Map.Entry<String, Module> child : inner.children().entrySet()) {
      collect(
          path.isEmpty() ? child.getKey() : path + "." + child.getKey(), child.getValue(), into);
    }
  }
}
