import { type Command, Option } from "commander";
import { flagOf, prefixedFlagOf, type SettingKey, settings } from "../config/settings.ts";

/** Adds the flags of settings to a command, in this order. */
export function addSettings(command: Command, keys: readonly SettingKey[]): Command {
  for (const key of keys) for (const option of optionsOf(key)) command.addOption(option);
  return command;
}

/** A setting's flag, and a hidden one that keeps the prefix of its variable. */
function optionsOf(key: SettingKey): Option[] {
  const { variable, placeholder, description, fallback, ...rest } = settings[key];
  const byDefault = typeof fallback === "string" ? fallback : fallback.shown;
  const option = (flag: string) => {
    const help = `${description} [${variable}, default: ${byDefault}]`;
    const made = new Option(`${flag} <${placeholder}>`, help);
    return "list" in rest ? made.argParser(joinToList) : made;
  };
  const prefixed = prefixedFlagOf(key);
  return [option(flagOf(key)), ...(prefixed ? [option(prefixed).hideHelp()] : [])];
}

function joinToList(text: string, before: string | undefined): string {
  return before === undefined ? text : `${before},${text}`;
}

/** The text of each flag that was given, by setting. */
export function flagsGiven(options: Record<string, string>): Partial<Record<SettingKey, string>> {
  const given: Partial<Record<SettingKey, string>> = {};
  for (const key of Object.keys(settings) as SettingKey[]) {
    const texts = optionsOf(key).map((option) => options[option.attributeName()]);
    const text = texts.find((candidate) => candidate !== undefined);
    if (text !== undefined) given[key] = text;
  }
  return given;
}
