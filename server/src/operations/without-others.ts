import type { Caller } from "../access/caller.ts";
import type { TransferState } from "../transfers/state.ts";
import type { Transfer } from "../transfers/transfer.ts";

/** Whether a caller may know the names of all namespaces. */
export function mayKnowAll({ rules }: Caller): boolean {
  return rules.some(({ may, namespaces }) => may.has("list") && namespaces === undefined);
}

/** A state as it is for callers who may not: without the namespaces where else its cache lies. */
export function withoutOthers(state: TransferState): TransferState {
  const { outcome } = state;
  if (outcome?.kind !== "LOAD" || !outcome.otherNamespaces) return state;
  const { otherNamespaces: _, ...shown } = outcome;
  return { ...state, outcome: shown };
}

/** A transfer as such callers see it. */
export function transferWithoutOthers(transfer: Transfer): Transfer {
  return {
    get state() {
      return withoutOthers(transfer.state);
    },
    wait: async (signal) => withoutOthers(await transfer.wait(signal)),
    detach: () => transfer.detach(),
    cancel: async () => withoutOthers(await transfer.cancel()),
    async *watch(signal) {
      for await (const state of transfer.watch(signal)) yield withoutOthers(state);
    },
  };
}
