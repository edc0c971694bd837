import { element } from "./dom.js";

/**
 * Asks before something is done, does it, and says in the dialog what went wrong if it did.
 * The focus comes back to where it was, or goes to `otherwise` where that is gone by then.
 *
 * @param {object} question
 * @param {string} question.title
 * @param {(Node | string)[]} question.text paragraphs
 * @param {string} question.action the words on the button
 * @param {boolean} [question.danger]
 * @param {() => Promise<void>} question.act
 * @param {() => HTMLElement | null | undefined} [question.otherwise]
 * @returns {Promise<boolean>} whether it was done
 */
export function confirmed({ title, text, action, danger = false, act, otherwise }) {
  const before = /** @type {HTMLElement} */ (document.activeElement);
  const wrong = element("p", { class: "wrong", role: "alert" });
  const yes = element("button", { class: danger ? "danger" : "primary", type: "button" }, action);
  const no = element("button", { type: "button", autofocus: true }, "Cancel");
  const dialog = element(
    "dialog",
    { "aria-labelledby": "dialog-title", "aria-describedby": "dialog-text" },
    element("h2", { id: "dialog-title" }, title),
    element(
      "div",
      { id: "dialog-text" },
      text.map((one) => element("p", {}, one)),
    ),
    wrong,
    element("div", { class: "actions" }, no, yes),
  );
  return new Promise((resolve) => {
    let done = false;
    let busy = false;
    no.addEventListener("click", () => dialog.close());
    yes.addEventListener("click", async () => {
      if (busy) return;
      busy = true;
      yes.setAttribute("aria-disabled", "true");
      wrong.replaceChildren();
      try {
        await act();
        done = true;
        dialog.close();
      } catch (error) {
        wrong.textContent = error.message;
      } finally {
        busy = false;
        yes.removeAttribute("aria-disabled");
      }
    });
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog && !inside(event, dialog)) dialog.close(); // beside it
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      const back = before?.isConnected && before !== document.body ? before : otherwise?.();
      back?.focus();
      resolve(done);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

function inside({ clientX, clientY }, dialog) {
  const box = dialog.getBoundingClientRect();
  return clientX >= box.left && clientX <= box.right && clientY >= box.top && clientY <= box.bottom;
}
