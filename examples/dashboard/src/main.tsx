import { ParleyProvider } from "parley-chat/react";
import { createRoot } from "react-dom/client";

import { App } from "./app.tsx";
import { parley } from "./parley.ts";
import "./style.css";

if (import.meta.env.PROD) void navigator.serviceWorker?.register("./worker.js");

createRoot(document.getElementById("root")!).render(
  <ParleyProvider parley={parley}>
    <App />
  </ParleyProvider>,
);
