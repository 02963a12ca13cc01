package dev.panatune.nn;

import dev.panatune.error.ConfigurationException;
import dev.panatune.tensor.Tensor;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/**
 * A node of a model: named parameters and named children.
 *
 * <p>Paths are those of the Hugging Face model ({@code model.layers.0.self_attn.q_proj}), parameter
 * names are a path, a dot and the parameter ({@code ….q_proj.weight}). A child sits in a {@link
 * Slot} that its parent reads on every forward, so {@link #replaceChild} is all it takes to wrap a
 * layer.
 *
 * <p>A module owns its parameters and those children whose parent it is: {@link #close} frees them.
 * A wrapper that takes a module as its child becomes that module's parent; putting the module back
 * with {@link #replaceChild} gives it back, and closing the wrapper then leaves it alone.
 */
public abstract class Module implements AutoCloseable {
  private final Map<String, Tensor> parameters = new LinkedHashMap<>();
  private final Map<String, Slot<?>> slots = new LinkedHashMap<>();
  private final List<Runnable> belongings = new ArrayList<>();
  private Module parent;
  private String name = "";

  /** Creates a module without parameters and children; subclasses add theirs. */
  protected Module() {}

  /** Where a child sits; its content changes when the child is replaced. */
  public static final class Slot<T> {
    private final Class<T> kind;
    private T content;

    private Slot(Class<T> kind, T content) {
      this.kind = kind;
      this.content = content;
    }

    /** Returns the module that is in the slot now. */
    public T get() {
      return content;
    }

    private Module module() {
      return (Module) content;
    }
  }

  /**
   * Adds a parameter of this module. The tensor must not belong to a scope (see {@code
   * Tensor.keep}); the module owns it from now on.
   */
  protected final void addParameter(String parameterName, Tensor value) {
    parameters.put(parameterName, value);
  }

  /**
   * Adds a child and makes this module its parent.
   *
   * @param kind what this module needs of the child; a replacement must be one too
   */
  protected final <T> Slot<T> addChild(String childName, Class<T> kind, T child) {
    Slot<T> slot = new Slot<>(kind, child);
    slots.put(childName, slot);
    slot.module().moveTo(this, childName);
    return slot;
  }

  /** Takes a child out, which is not closed: it is the caller's. */
  protected final void removeChild(String childName) {
    Module child = slot(childName, childName).module();
    slots.remove(childName);
    child.moveTo(null, "");
  }

  private void moveTo(Module newParent, String newName) {
    parent = newParent;
    name = newName;
  }

  /** Returns the path from the root, {@code ""} for the root itself. */
  public final String path() {
    return parent == null ? name : join(parent.path(), name);
  }

  /** Returns this module's own parameters by name, in order of definition; a copy. */
  public final Map<String, Tensor> parameters() {
    return Collections.unmodifiableMap(new LinkedHashMap<>(parameters));
  }

  /** Returns the direct children by name, in order of definition; a copy. */
  public final Map<String, Module> children() {
    Map<String, Module> children = new LinkedHashMap<>();
    slots.forEach((childName, slot) -> children.put(childName, slot.module()));
    return Collections.unmodifiableMap(children);
  }

  /**
   * Returns the module at a path below this one; {@code ""} is this one.
   *
   * @throws ConfigurationException if there is none; the message lists what is there
   */
  public final Module child(String dottedPath) {
    Module module = this;
    if (!dottedPath.isEmpty()) {
      for (String step : dottedPath.split("\\.", -1)) {
        module = module.slot(step, dottedPath).module();
      }
    }
    return module;
  }

  /**
   * Puts another module at a path below this one. The old one is not closed; where it is not a
   * child of the new one, the caller owns it.
   *
   * @throws ConfigurationException if there is no such path, or the new module is not what the
   *     parent needs there
   */
  public final void replaceChild(String dottedPath, Module replacement) {
    Module holder = child(parentOf(dottedPath));
    String childName = lastOf(dottedPath);
    Slot<?> slot = holder.slot(childName, dottedPath);
    Module old = slot.module();
    put(slot, replacement, dottedPath);
    if (old != replacement && old.parent == holder) {
      old.moveTo(null, "");
    }
    replacement.moveTo(holder, childName);
  }

  private static <T> void put(Slot<T> slot, Module replacement, String path) {
    if (!slot.kind.isInstance(replacement)) {
      throw new ConfigurationException(
          "%s needs a %s, and %s is none"
              .formatted(path, slot.kind.getSimpleName(), replacement.getClass().getSimpleName()));
    }
    slot.content = slot.kind.cast(replacement);
  }

  private Slot<?> slot(String childName, String wanted) {
    Slot<?> slot = slots.get(childName);
    if (slot == null) {
      throw new ConfigurationException(
          "There is no module %s: %s has %s"
              .formatted(
                  wanted,
                  path().isEmpty() ? "the model" : path(),
                  slots.isEmpty() ? "no children" : String.join(", ", slots.keySet())));
    }
    return slot;
  }

  /**
   * Returns this module and all below it by path relative to this one (this one: {@code ""}),
   * parents before their children, in order of definition.
   */
  public final Stream<Map.Entry<String, Module>> namedModules() {
    List<Map.Entry<String, Module>> modules = new ArrayList<>();
    collectModules("", modules);
    return modules.stream();
  }

  private void collectModules(String prefix, List<Map.Entry<String, Module>> into) {
    into.add(Map.entry(prefix, this));
    slots.forEach((childName, s) -> s.module().collectModules(join(prefix, childName), into));
  }

  /**
   * Returns all parameters at and below this module by path relative to it. A tensor that two
   * modules share (a tied head) appears once, under the first of its names.
   */
  public final Map<String, Tensor> namedParameters() {
    Map<String, Tensor> found = new LinkedHashMap<>();
    Set<Tensor> seen = Collections.newSetFromMap(new IdentityHashMap<>());
    namedModules()
        .forEach(entry ->
            entry
                .getValue()
                .parameters
                .forEach((parameterName, tensor) -> {
                  if (seen.add(tensor)) {
                    found.put(join(entry.getKey(), parameterName), tensor);
                  }
                }));
    return found;
  }

  /** Returns those of {@link #namedParameters} that require a gradient. */
  public final Map<String, Tensor> trainableParameters() {
    Map<String, Tensor> trainable = new LinkedHashMap<>();
    namedParameters()
        .forEach((parameterName, tensor) -> {
          if (tensor.requiresGrad()) {
            trainable.put(parameterName, tensor);
          }
        });
    return trainable;
  }

  /**
   * Returns the parameter at a path below this module.
   *
   * @throws ConfigurationException if there is none; the message lists what is there
   */
  public final Tensor parameter(String dottedPath) {
    return holderOf(dottedPath).parameters.get(lastOf(dottedPath));
  }

  /**
   * Puts another tensor in a parameter's place, wherever that tensor is used below this module, so
   * that what was tied stays tied. The new tensor must not belong to a scope. The old one is not
   * closed.
   *
   * @throws ConfigurationException if there is no such parameter
   */
  public final void replaceParameter(String dottedPath, Tensor replacement) {
    Tensor old = parameter(dottedPath);
    namedModules()
        .forEach(entry ->
            entry
                .getValue()
                .parameters
                .replaceAll((key, tensor) -> tensor == old ? replacement : tensor));
  }

  /**
   * Puts another tensor in a parameter's place at this path alone: a tensor that was tied to it
   * elsewhere stays as it was. The new tensor must not belong to a scope.
   *
   * @return the old tensor, which is not closed
   * @throws ConfigurationException if there is no such parameter
   */
  public final Tensor swapParameter(String dottedPath, Tensor replacement) {
    return holderOf(dottedPath).parameters.put(lastOf(dottedPath), replacement);
  }

  private Module holderOf(String dottedPath) {
    Module holder = child(parentOf(dottedPath));
    if (!holder.parameters.containsKey(lastOf(dottedPath))) {
      throw new ConfigurationException(
          "There is no parameter %s: %s has %s"
              .formatted(
                  dottedPath,
                  holder.path().isEmpty() ? "the model" : holder.path(),
                  holder.parameters.isEmpty()
                      ? "no parameters"
                      : String.join(", ", holder.parameters.keySet())));
    }
    return holder;
  }

  /** Returns this module's own parameter, or null where the module was made without it. */
  protected final Tensor ownParameter(String parameterName) {
    return parameters.get(parameterName);
  }

  /** Sets whether the floating-point parameters at and below this module require a gradient. */
  public final void setTrainable(boolean trainable) {
    namedParameters()
        .values()
        .forEach(tensor -> {
          if (tensor.dtype().isFloatingPoint()) {
            tensor.requiresGrad(trainable);
          }
        });
  }

  /**
   * Returns how many weights the modules at and below this one stand for; a quantised weight counts
   * its elements, a shared one counts once.
   */
  public final long parameterCount() {
    long dense = namedParameters().values().stream().mapToLong(Tensor::numel).sum();
    return dense + namedModules().mapToLong(entry -> entry.getValue().packedWeights()).sum();
  }

  /** Returns how many weights this module keeps in a packed form, beside its parameters. */
  protected long packedWeights() {
    return 0;
  }

  /**
   * Frees something along with this module that is not among its parameters for now: a tensor that
   * was swapped out of it, say. Freeing it earlier as well does no harm.
   */
  public final void closeAlso(Tensor belonging) {
    belongings.add(belonging::close);
  }

  /** The same of a module that was replaced for now. */
  public final void closeAlso(Module belonging) {
    belongings.add(belonging::close);
  }

  /** Frees the parameters of this module and of the children that it is the parent of. */
  @Override
  public void close() {
    parameters.values().forEach(Tensor::close);
    belongings.forEach(Runnable::run);
    for (Slot<?> slot : slots.values()) {
      if (slot.module().parent == this) {
        slot.module().close();
      }
    }
  }

  private static String join(String prefix, String last) {
    return prefix.isEmpty() ? last : prefix + "." + last;
  }

  private static String parentOf(String dottedPath) {
    return dottedPath.substring(0, Math.max(0, dottedPath.lastIndexOf('.')));
  }

  private static String lastOf(String dottedPath) {
    return dottedPath.substring(dottedPath.lastIndexOf('.') + 1);
  }
}
