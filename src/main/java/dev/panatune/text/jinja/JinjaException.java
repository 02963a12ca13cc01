package dev.panatune.text.jinja;

import dev.panatune.error.PanatuneException;

/** A template that cannot be parsed, cannot be rendered, or that raised an error of its own. */
public final class JinjaException extends PanatuneException {
  private static final long serialVersionUID = 1L;

  /** Why a template failed. */
  public enum Kind {
    /** It is not valid Jinja, or uses a part of Jinja that chat templates do not have. */
    SYNTAX,
    /** It used a value that does not exist. */
    UNDEFINED,
    /** It applied an operation to a value of the wrong kind. */
    TYPE,
    /** It asked for something that the sandbox does not give. */
    SECURITY,
    /** It went past a bound on work, memory, nesting or time. */
    LIMIT,
    /** It called {@code raise_exception}; the message is the template's own. */
    RAISED
  }

  private final Kind kind;
  private final String reason;
  private final int line;

  JinjaException(Kind kind, String reason) {
    this(kind, reason, 0);
  }

  JinjaException(Kind kind, String reason, int line) {
    super(line > 0 ? reason + " (line " + line + " of the template)" : reason);
    this.kind = kind;
    this.reason = reason;
    this.line = line;
  }

  static JinjaException syntax(String reason, int line) {
    return new JinjaException(Kind.SYNTAX, reason, line);
  }

  static JinjaException type(String reason) {
    return new JinjaException(Kind.TYPE, reason);
  }

  static JinjaException undefined(String reason) {
    return new JinjaException(Kind.UNDEFINED, reason);
  }

  static JinjaException security(String reason) {
    return new JinjaException(Kind.SECURITY, reason);
  }

  static JinjaException limit(String reason) {
    return new JinjaException(Kind.LIMIT, reason);
  }

  /** The same error with the line it happened on, where that was not known yet. */
  JinjaException at(int where) {
    if (line > 0 || where <= 0) {
      return this;
    }
    JinjaException located = new JinjaException(kind, reason, where);
    located.initCause(this);
    return located;
  }

  /** Why the template failed. */
  public Kind kind() {
    return kind;
  }

  /** The message without the place; for {@link Kind#RAISED} exactly what the template said. */
  public String reason() {
    return reason;
  }

  /** The line of the template, from 1; 0 where it is not known. */
  public int line() {
    return line;
  }
}
