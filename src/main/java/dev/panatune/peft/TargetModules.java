package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import java.util.List;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/** Which modules get an adapter, by PEFT's rules of matching. */
public sealed interface TargetModules {
  /** How PEFT writes {@link AllLinear}. */
  String ALL_LINEAR = "all-linear";

  /** Whether the module at a path is a target. */
  boolean matches(String path);

  /** The form in {@code adapter_config.json}: a list of names, or a string. */
  Object toJson();

  /**
   * Modules whose path is one of the names, or ends in a dot and one of them.
   *
   * @param names such as {@code q_proj} or {@code model.layers.3.mlp.up_proj}
   */
  record Names(List<String> names) implements TargetModules {
    public Names {
      names = List.copyOf(names);
    }

    @Override
    public boolean matches(String path) {
      return names.stream().anyMatch(name -> path.equals(name) || path.endsWith("." + name));
    }

    @Override
    public Object toJson() {
      return names;
    }
  }

  /**
   * Modules whose whole path matches a regular expression.
   *
   * @param pattern in Java's syntax, which is Python's but for rare constructs
   */
  record Regex(Pattern pattern) implements TargetModules {
    @Override
    public boolean matches(String path) {
      return pattern.matcher(path).matches();
    }

    @Override
    public Object toJson() {
      return pattern.pattern();
    }
  }

  /** Every linear layer but the output head. */
  record AllLinear() implements TargetModules {
    @Override
    public boolean matches(String path) {
      return !path.equals("lm_head") && !path.equals("score");
    }

    @Override
    public Object toJson() {
      return ALL_LINEAR;
    }
  }

  /** Modules of these names; see {@link Names}. */
  static TargetModules of(String... names) {
    return new Names(List.of(names));
  }

  /** Every linear layer but the output head. */
  static TargetModules allLinear() {
    return new AllLinear();
  }

  /**
   * Reads PEFT's string form.
   *
   * @param text {@code all-linear} or a regular expression
   * @throws ConfigurationException if the expression is not valid
   */
  static TargetModules parse(String text) {
    if (text.equalsIgnoreCase(ALL_LINEAR)) {
      return new AllLinear();
    }
    try {
      return new Regex(Pattern.compile(text));
    } catch (PatternSyntaxException e) {
      throw new ConfigurationException(
          "target_modules: '" + text + "' is not a regular expression: " + e.getDescription(), e);
    }
  }
}
