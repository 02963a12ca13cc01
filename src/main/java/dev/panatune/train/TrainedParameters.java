package dev.panatune.train;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.Suggestion;
import dev.panatune.model.CausalLM;
import dev.panatune.tensor.Tensor;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * Which parameters of a model full fine-tuning trains.
 *
 * <p>A pattern is a regular expression. As in PEFT's {@code rank_pattern}, it fits a path that it
 * matches as a whole, or from behind a dot on. It may fit a parameter ({@code q_proj.bias}, {@code
 * bias}) or a module, which stands for all parameters in it ({@code layers\.[0-3]}, {@code mlp}). A
 * tied parameter has the names of all modules that use it.
 *
 * @param train patterns of what is trained; empty for everything
 * @param freeze patterns of what is not trained, although {@code train} may say so
 */
public record TrainedParameters(List<String> train, List<String> freeze) {
  private static final int SHOWN = 12;

  /** Every parameter. */
  public static final TrainedParameters ALL = new TrainedParameters(List.of(), List.of());

  /**
   * Checks the patterns.
   *
   * @throws ConfigurationException if one is no regular expression
   */
  public TrainedParameters {
    train = List.copyOf(train);
    freeze = List.copyOf(freeze);
    train.forEach(pattern -> compile("train", pattern));
    freeze.forEach(pattern -> compile("freeze", pattern));
  }

  /** Whether nothing is frozen. */
  public boolean isAll() {
    return train.isEmpty() && freeze.isEmpty();
  }

  /**
   * Chooses among a model's parameters, those of 4-bit layers among them.
   *
   * @return the names of what is trained; a tied parameter's first one
   * @throws ConfigurationException if a pattern fits nothing, or nothing is left to train
   */
  Set<String> of(CausalLM model) {
    Map<String, Set<String>> names = namesOf(model);
    Set<String> chosen = new LinkedHashSet<>(names.keySet());
    if (!train.isEmpty()) {
      chosen.clear();
      train.forEach(pattern -> chosen.addAll(fitting("train", pattern, names)));
    }
    freeze.forEach(pattern -> chosen.removeAll(fitting("freeze", pattern, names)));
    if (chosen.isEmpty()) {
      throw new ConfigurationException(
          "freeze %s leaves nothing of train %s to train"
              .formatted(freeze, train.isEmpty() ? "(everything)" : train));
    }
    return chosen;
  }

  /** All names of every parameter, by its first one. */
  private static Map<String, Set<String>> namesOf(CausalLM model) {
    Map<String, Set<String>> names = new LinkedHashMap<>();
    Map<Tensor, String> first = new IdentityHashMap<>();
    model
        .namedModules()
        .forEach(entry -> {
          entry
              .getValue()
              .parameters()
              .forEach((name, tensor) -> {
                String path = entry.getKey() + "." + name;
                names
                    .computeIfAbsent(
                        first.computeIfAbsent(tensor, _ -> path), _ -> new LinkedHashSet<>())
                    .add(path);
              });
          if (FullFineTuning.isPacked(entry.getValue())) {
            String weight = entry.getKey() + ".weight";
            names.put(weight, Set.of(weight));
          }
        });
    return names;
  }

  private static Set<String> fitting(
      String list, String pattern, Map<String, Set<String>> parameters) {
    Pattern compiled = compile(list, pattern);
    Set<String> found = new LinkedHashSet<>();
    parameters.forEach((first, names) -> {
      if (names.stream().anyMatch(name -> fits(compiled, name))) {
        found.add(first);
      }
    });
    if (found.isEmpty()) {
      throw new ConfigurationException(
          "%s: '%s' fits no parameter or module of the model%s"
              .formatted(list, pattern, near(pattern, parameters.values())));
    }
    return found;
  }

  /** Whether a pattern fits a parameter, or a module that it lies in. */
  private static boolean fits(Pattern pattern, String name) {
    for (int end = name.length(); end > 0; end = name.lastIndexOf('.', end - 1)) {
      if (pattern.matcher(name.substring(0, end)).matches()) {
        return true;
      }
    }
    return false;
  }

  private static String near(String pattern, Iterable<Set<String>> parameters) {
    Set<String> ends = new LinkedHashSet<>();
    Set<String> words = new LinkedHashSet<>();
    for (Set<String> names : parameters) {
      for (String name : names) {
        List<String> steps = Arrays.asList(name.split("\\."));
        steps.stream().filter(step -> !step.matches("\\d+")).forEach(words::add);
        for (int start = 0; start < steps.size(); start++) {
          for (int end = start + 1; end <= steps.size(); end++) {
            ends.add(String.join(".", steps.subList(start, end)));
          }
        }
      }
    }
    String wanted = pattern.replace("\\", "");
    return Suggestion.nearest(wanted, ends)
        .map("; did you mean %s?"::formatted)
        .orElseGet(() -> "; names in it are " + shown(words));
  }

  private static String shown(Set<String> words) {
    List<String> some = words.stream().limit(SHOWN).toList();
    return String.join(", ", some) + (words.size() > SHOWN ? ", ..." : "");
  }

  private static Pattern compile(String list, String pattern) {
    try {
      return Pattern.compile("(.*\\.)?(" + pattern + ")");
    } catch (PatternSyntaxException e) {
      throw new ConfigurationException(
          "%s: '%s' is not a regular expression: %s".formatted(list, pattern, e.getDescription()),
          e);
    }
  }
}
